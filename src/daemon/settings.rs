//! What the loops need of the config, and the one place where a new one is put in force.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::judge::Bench;
use crate::mail::letter::Sender;
use crate::mail::send::Transport;
use crate::model::{Address, Policy, WatchList};

/// The settings in force; a reload puts a whole new one in place.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the rules decide by.
    pub policy: Policy,
    /// What is watched.
    pub watch: Arc<WatchList>,
    /// Who sends the mails.
    pub sender: Sender,
    /// The envelope sender.
    pub envelope_from: Address,
    /// Where mails go.
    pub transport: Transport,
    /// Workers of a sweep: as many as requests may be in flight.
    pub max_in_flight: usize,
    /// How long a sweep takes at the limits of requests.
    pub sweep_takes: Duration,
    /// Leaf's token comes from a file, so that its end is an operator's business.
    pub configured_token: bool,
    /// How long history is kept.
    pub keep: Keep,
}

impl Settings {
    /// The judge under these settings; `after_off` as [`Bench`] has it.
    pub fn bench(&self, after_off: bool) -> Bench<'_> {
        Bench {
            policy: &self.policy,
            watch: &self.watch,
            after_off,
        }
    }
}

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Events.
    pub events: Duration,
    /// All else.
    pub history: Duration,
}

/// A handle to the settings in force; a loop takes a copy for each piece of work.
#[derive(Debug, Clone)]
pub struct InForce(Arc<RwLock<Arc<Settings>>>);

impl InForce {
    /// Puts the first settings in force.
    pub fn new(settings: Settings) -> Self {
        InForce(Arc::new(RwLock::new(Arc::new(settings))))
    }

    /// The settings in force now.
    pub fn now(&self) -> Arc<Settings> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts others in force, from the next request, decision and mail on.
    pub fn replace(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
