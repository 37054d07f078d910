//! `explain USER`: what is known, what would open or end next and why, and who would be mailed by which rule.

use super::args::OfUser;
use super::exit::Failure;
use super::heading;
use super::incidents::told;
use super::table::{Look, Page, Style};
use crate::store::{Db, Scene};
use crate::view::explain::{Explained, Explanation, Lacking};
use crate::view::{Incident, words};

/// The page.
pub fn page(db: &mut Db, scene: &Scene<'_>, args: &OfUser, look: Look) -> Result<Page, Failure> {
    let explanation = db.read(|tx| {
        let user = args.find(tx, scene)?;
        Ok::<_, Failure>(tx.explanation_of(scene, user, args.common.filter())?)
    })?;
    let mut page = Page::new(look);
    match look.json {
        true => page.document(&explanation)?,
        false => lay_out(&mut page, &explanation, scene),
    }
    Ok(page)
}

fn lay_out(page: &mut Page, explanation: &Explanation, scene: &Scene<'_>) {
    page.say(Style::Bold, &heading(&explanation.user));
    if explanation.blind {
        let status = words::command(&scene.policy.daemon, "status");
        page.say(
            Style::Bad,
            &format!("Leafwatch is blind now; see: {status}"),
        );
    }
    if explanation.credentials.is_empty() {
        page.say(
            Style::Plain,
            "Nothing is known yet: the daemon has not taken this user up.",
        );
    }
    for explained in &explanation.credentials {
        one(page, explained, scene);
    }
    if !explanation.quiet.is_empty() {
        page.gap();
        page.say(Style::Plain, "When mails wait (looking goes on):");
    }
    for quiet in &explanation.quiet {
        for opening in &quiet.openings {
            let times = (opening.from, opening.to);
            let line = words::quiet(&quiet.severities, times, &quiet.zone, scene.now);
            page.labelled(2, "", &line);
        }
    }
    page.gap();
    page.say(Style::Dim, explanation.cannot_see);
}

fn one(page: &mut Page, explained: &Explained, scene: &Scene<'_>) {
    let credential = &explained.credential;
    page.gap();
    let state = words::state_explained(explained);
    let since = credential.since.map(|since| {
        let zone = &scene.policy.schedules.zone;
        format!(", since {}", words::time(since, zone))
    });
    let provider = credential.who.provider.display_name();
    page.say(
        Style::Bold,
        &format!("{provider}: {state}{}", since.unwrap_or_default()),
    );
    known(page, explained, scene);
    if explained.epoch > 0 && credential.who.provider.has_events() {
        events(page, explained, scene);
    }
    for open in &explained.open {
        incident(page, open, scene);
    }
    for suspect in &explained.lacking {
        suspected(page, suspect, scene);
    }
    if !explained.would_open.is_empty() {
        page.gap();
        page.labelled(2, "", "What would open:");
        for opening in &explained.would_open {
            let label = format!("{}: ", words::label(opening.kind));
            page.labelled(4, &label, &opening.when);
        }
    }
    if !explained.would_tell.is_empty() {
        page.gap();
        page.labelled(2, "", "Who would be mailed:");
        for audience in &explained.would_tell {
            let kinds = words::kinds(&audience.kinds);
            let people: Vec<String> = audience
                .recipients
                .iter()
                .map(|one| format!("{} ({})", one.address, one.rule))
                .collect();
            let people = match people.is_empty() {
                true => "nobody".to_owned(),
                false => people.join(", "),
            };
            page.labelled(4, "", &format!("{kinds}: {people}"));
        }
    }
}

fn known(page: &mut Page, explained: &Explained, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    for fact in words::known(explained) {
        let at = fact.at.map(|at| words::time(at, zone));
        let parts = [Some(fact.words), at].into_iter().flatten();
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        let name = match fact.name {
            "Leaf says" => fact.name.to_owned(),
            name => name.to_lowercase(),
        };
        page.labelled(2, &format!("{name:<13}"), &parts.join(" "));
    }
}

fn events(page: &mut Page, explained: &Explained, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let events = &explained.events;
    let read = match explained.events_read_at {
        Some(at) => format!("read {}", words::time(at, zone)),
        None => "never read yet".to_owned(),
    };
    let window = words::duration(scene.policy.thresholds.failing_events_window);
    let said = match (events.newest_at, events.newest_failed) {
        (Some(at), Some(failed)) => format!(
            "; of {} that count within {window} the newest {} ({}), {} running failed, {} make the early warning",
            words::number(u64::from(events.speaking)),
            if failed { "failed" } else { "succeeded" },
            words::short_time(at, zone),
            words::number(u64::from(events.failing_now)),
            words::number(u64::from(events.failures_needed)),
        ),
        _ => format!("; none within {window} that counts for the early warning"),
    };
    page.labelled(2, "events       ", &format!("{read}{said}"));
}

fn incident(page: &mut Page, open: &Incident, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let head = format!(
        "Open: {}, incident {}, since {}{}",
        words::label(open.kind),
        open.number,
        words::time(open.began_at, zone),
        words::came_back(open.reopened)
    );
    page.labelled(2, "", &head);
    let well_since = open.ends.as_ref().and_then(|ends| ends.well_since);
    match (well_since, &open.advice) {
        (Some(well), _) => page.labelled(4, "well since: ", &words::time(well, zone)),
        (None, Some(advice)) => {
            for (label, value) in [
                ("likely cause: ", advice.why.as_str()),
                ("next step: ", &advice.next),
                ("who mends it: ", advice.who),
            ] {
                if !value.is_empty() {
                    page.labelled(4, label, value);
                }
            }
        }
        (None, None) => {}
    }
    if let Some(ends) = &open.ends {
        page.labelled(4, "ends on: ", &words::ending(ends));
    }
    if open.doubted {
        page.labelled(4, "in doubt: ", "most of the fleet turned alike at once; the user's own people are told after a second sweep that says the same");
    }
    told(page, 4, open);
    for notice in open.waiting.iter().flatten() {
        let waits = words::waits(notice.waits_for, notice.due_at, zone);
        let to = notice
            .address
            .as_ref()
            .map(|address| format!(" to {address}"));
        let line = format!("{}{}, {waits}", notice.notice, to.unwrap_or_default());
        page.labelled(4, "not told yet: ", &line);
    }
    let said = open.said.iter().map(|said| said.holding(scene.now));
    for (label, line) in said.flat_map(|said| words::said(&said, zone, scene.now)) {
        page.labelled(4, label, &line);
    }
}

fn suspected(page: &mut Page, suspect: &Lacking, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let head = format!(
        "Not sure yet: {}, first seen {}",
        words::label(suspect.kind),
        words::time(suspect.since, zone)
    );
    page.labelled(2, "", &head);
    page.labelled(4, "so far: ", &words::suspected(suspect));
    page.labelled(4, "next: ", &words::settles(suspect));
}
