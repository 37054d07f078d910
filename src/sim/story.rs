//! The demo's story: a dozen growers, and what befalls them and Leaf, act by act.
//!
//! Data and a driver: it prints nothing, and knows nothing of who watches.

use std::time::Duration;

use jiff::SignedDuration;

use super::event::ProviderAnswer;
use super::grant::Consent;
use super::simulated_leaf::{SimulatedLeaf, nth_user};
use crate::model::{Credential, Provider};

/// The key of the app that five growers are connected through.
const DEALER_APP: &str = "0oaVALLEYdealerApp7Qk3";
/// The key of the app that the others are connected through.
const OWN_APP: &str = "0oaHARVESTownApp5d2Xw9";

/// Name, days connected, whether through the dealer's app.
const GROWERS: [(&str, i64, bool); 12] = [
    ("Hillside Farms", 412, false),
    ("Prairie Rose Farm", 96, false),
    ("Cedar Bend Ranch", 310, true),
    ("Anderson & Sons", 288, true),
    ("Two Rivers Grain", 251, true),
    ("Meadowlark Acres", 243, true),
    ("Stony Creek Farm", 187, true),
    ("Blue Silo Dairy", 365, false),
    ("Johansson Brothers", 520, false),
    ("Windy Ridge Farms", 61, false),
    ("Old Mill Growers", 33, false),
    ("Sunflower Flats", 140, false),
];

const HILLSIDE: usize = 0;
const PRAIRIE_ROSE: usize = 1;

/// One grower of the cast.
#[derive(Debug, Clone, Copy)]
pub struct Grower {
    /// The farm's name.
    pub name: &'static str,
    /// What is watched.
    pub credential: Credential,
    /// The app's key; five growers share one.
    client_key: &'static str,
    connected_days: i64,
}

/// What happens at one moment.
#[derive(Debug, Clone)]
pub struct Act {
    /// When, from the start of the story.
    pub at: Duration,
    /// What happens, in plain words.
    pub say: &'static str,
    /// What a watcher should make of it, in plain words.
    pub look_for: &'static str,
    run: fn(&Story, &SimulatedLeaf),
}

/// The cast and the script.
#[derive(Debug, Clone)]
pub struct Story {
    growers: Vec<Grower>,
    pace: Duration,
}

impl Story {
    /// A story whose acts are some `pace`s apart; one is as long as a sweep and what follows from it should take. It
    /// lasts [`Story::LENGTH`] of them.
    pub fn new(pace: Duration) -> Self {
        let growers = (0..)
            .zip(GROWERS)
            .map(|(nth, (name, connected_days, dealer))| Grower {
                name,
                credential: Credential {
                    user: nth_user(nth),
                    provider: Provider::JOHN_DEERE,
                },
                client_key: if dealer { DEALER_APP } else { OWN_APP },
                connected_days,
            });
        Story {
            growers: growers.collect(),
            pace,
        }
    }

    /// How many paces the story lasts, with time at its end for the last mails.
    pub const LENGTH: u32 = 30;

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        self.pace * Self::LENGTH
    }

    /// The growers, in the order of their ids.
    pub fn growers(&self) -> &[Grower] {
        &self.growers
    }

    /// Brings the growers to `leaf`, all well, connected for months, with a few days of log.
    pub fn cast(&self, leaf: &SimulatedLeaf) {
        for grower in &self.growers {
            let since = leaf.now() - SignedDuration::from_hours(24 * grower.connected_days);
            leaf.add_user(grower.credential.user, grower.name);
            let consent = Consent::to_app(grower.client_key).since(since);
            leaf.connect(grower.credential, consent);
            for hours in [50, 26, 2] {
                let at = leaf.now() - SignedDuration::from_hours(hours);
                leaf.push_event(grower.credential, ProviderAnswer::success().at(at));
            }
        }
    }

    /// The script, in order of time.
    pub fn acts(&self) -> Vec<Act> {
        let act = |paces: u32, say, look_for, run| Act {
            at: self.pace * paces,
            say,
            look_for,
            run,
        };
        vec![
            act(
                0,
                "Twelve growers, all connected and all well.",
                "No mail.",
                |_, _| {},
            ),
            act(
                3,
                "The grower of Hillside Farms revokes access. Leaf still says OK, but its events begin to fail.",
                "An early warning: one mail about Hillside Farms.",
                |story, leaf| {
                    let hillside = story.growers[HILLSIDE].credential;
                    for minutes in [65, 0] {
                        let at = leaf.now() - SignedDuration::from_mins(minutes);
                        leaf.push_event(hillside, ProviderAnswer::invalid_grant().at(at));
                    }
                },
            ),
            act(
                7,
                "Now Leaf notices too: the status of Hillside Farms turns to UNAUTHENTICATED.",
                "One mail that says CHANGED, in the thread of the first.",
                |story, leaf| leaf.revoke(story.growers[HILLSIDE].credential),
            ),
            act(
                10,
                "Somebody connects Prairie Rose Farm again, by mistake with the environment STAGE.",
                "One mail about the environment; the status is OK.",
                |story, leaf| {
                    let consent = Consent::to_app(OWN_APP).in_environment("STAGE");
                    leaf.reconnect(story.growers[PRAIRIE_ROSE].credential, Some(consent));
                },
            ),
            act(
                14,
                "The secret of the dealer's app is changed, and nobody tells Leaf: five growers break at once.",
                "One mail that names one cause, not five mails.",
                |_, leaf| leaf.rotate_app_secret(DEALER_APP),
            ),
            act(
                18,
                "Leaf itself goes away.",
                "Not one mail about a grower: silence proves nothing.",
                |_, leaf| leaf.go_away(),
            ),
            act(
                22,
                "Leaf is back.",
                "What was broken is still broken; nobody is told twice.",
                // The port stayed bound, so that only a machine out of sockets could refuse; the mails tell then.
                |_, leaf| drop(leaf.come_back()),
            ),
            act(
                24,
                "Everything is mended: all seven connect again, Prairie Rose Farm with PRODUCTION.",
                "Every reader of a warning gets its RESOLVED.",
                |story, leaf| {
                    let broken = |grower: &&Grower| grower.client_key == DEALER_APP;
                    for grower in story.growers.iter().filter(broken) {
                        leaf.reconnect(grower.credential, None);
                    }
                    leaf.reconnect(story.growers[HILLSIDE].credential, None);
                    let consent = Consent::to_app(OWN_APP);
                    leaf.reconnect(story.growers[PRAIRIE_ROSE].credential, Some(consent));
                },
            ),
        ]
    }

    /// Plays the acts at their times: `tell` hears of each, then it happens. Ends with the story; dropping the
    /// future ends it sooner.
    pub async fn play(&self, leaf: &SimulatedLeaf, mut tell: impl FnMut(&Act)) {
        let mut played = Duration::ZERO;
        for act in self.acts() {
            tokio::time::sleep(act.at - played).await;
            played = act.at;
            tell(&act);
            self.run(&act, leaf);
        }
        tokio::time::sleep(self.length() - played).await;
    }

    /// Lets one act happen now.
    pub fn run(&self, act: &Act, leaf: &SimulatedLeaf) {
        (act.run)(self, leaf);
    }
}
