//! `explain USER`: what is known, what would open or end next and why, and who would be mailed by which rule.

use super::args::OfUser;
use super::exit::Failure;
use super::heading;
use super::table::{Look, Page, Style};
use crate::store::{Db, Scene};
use crate::view::explain::{Ending, Explained, Explanation, Lacking, OpenIncident};
use crate::view::words;

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
    let line = &explained.line;
    page.gap();
    let state = match explained.watched {
        true => words::state(line),
        false => "no longer watched".to_owned(),
    };
    let since = line.since.map(|since| {
        let zone = &scene.policy.schedules.zone;
        format!(", since {}", words::time(since, zone))
    });
    let provider = line.who.provider.display_name();
    page.say(
        Style::Bold,
        &format!("{provider}: {state}{}", since.unwrap_or_default()),
    );
    known(page, explained, scene);
    if explained.epoch > 0 && line.who.provider.has_events() {
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
            let kinds: Vec<&str> = audience
                .kinds
                .iter()
                .map(|kind| words::label(*kind))
                .collect();
            let people: Vec<String> = audience
                .recipients
                .iter()
                .map(|one| format!("{} ({})", one.address, one.rule))
                .collect();
            let people = match people.is_empty() {
                true => "nobody".to_owned(),
                false => people.join(", "),
            };
            page.labelled(4, "", &format!("{}: {people}", words::listed(&kinds)));
        }
    }
}

fn known(page: &mut Page, explained: &Explained, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let line = &explained.line;
    let mut fact = |label: &str, value: String| page.labelled(2, &format!("{label:<13}"), &value);
    let mut said = words::leaf_says(line).to_owned();
    if line.missing && explained.epoch == 0 {
        said.push_str("; it never had one");
    }
    fact("Leaf says", said);
    if line.environment.is_some() || line.expected_environment.is_some() {
        let expected = match line.expected_environment {
            Some(expected) if !line.in_wrong_environment() => format!(" (expected: {expected})"),
            Some(_) => String::new(),
            None => " (none expected: not judged)".to_owned(),
        };
        fact(
            "environment",
            format!("{}{expected}", words::environment(line)),
        );
    }
    if let Some(at) = line.last_look {
        let stale = if line.stale {
            "; stale, not seen since"
        } else {
            ""
        };
        fact("last look", format!("{}{stale}", words::time(at, zone)));
    }
    if let Some(at) = line.no_answer_since {
        fact("no answer", format!("since {}", words::time(at, zone)));
    }
    if explained.epoch > 1 {
        let since = explained
            .epoch_since
            .map(|at| format!(", since {}", words::time(at, zone)));
        fact(
            "connected",
            format!("{} times{}", explained.epoch, since.unwrap_or_default()),
        );
    } else if let Some(created) = &explained.leaf_created {
        fact("connected", created.clone());
    }
    if !explained.scopes.is_empty() {
        fact("scopes", explained.scopes.join(" "));
    }
    if let Some(tail) = &explained.key_tail {
        fact("app key", format!("ends in {tail}"));
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

fn incident(page: &mut Page, open: &OpenIncident, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let came_back = match open.reopened {
        0 => String::new(),
        times => format!(", came back {}", words::counted(u64::from(times), "time")),
    };
    let head = format!(
        "Open: {}, incident {}, since {}{came_back}",
        words::label(open.kind),
        open.incident,
        words::time(open.since, zone)
    );
    page.labelled(2, "", &head);
    match open.ends.well_since {
        Some(well) => page.labelled(4, "well since: ", &words::time(well, zone)),
        None => {
            for (label, value) in [
                ("likely cause: ", &open.why),
                ("next step: ", &open.next_step),
                ("who mends it: ", &open.who),
            ] {
                if !value.is_empty() {
                    page.labelled(4, label, value);
                }
            }
        }
    }
    page.labelled(4, "ends on: ", &ending(&open.ends));
    if open.doubted {
        page.labelled(4, "in doubt: ", "most of the fleet turned alike at once; the user's own people are told after a second sweep that says the same");
    }
    for (label, addresses) in [
        ("told: ", &open.told.accepted),
        ("waiting to be told: ", &open.told.waiting),
        ("not told, refused: ", &open.told.failed),
    ] {
        if !addresses.is_empty() {
            page.labelled(4, label, &addresses.join(", "));
        }
    }
    for notice in &open.waiting {
        let waits = words::waits(notice.waits_for, notice.due_at, zone);
        let to = notice
            .address
            .as_ref()
            .map(|address| format!(" to {address}"));
        let line = format!("{}{}, {waits}", notice.notice, to.unwrap_or_default());
        page.labelled(4, "not told yet: ", &line);
    }
    for ack in open.said.acks.iter().filter(|ack| ack.holds(scene.now)) {
        page.labelled(4, "acknowledged ", &words::ack(ack, zone, scene.now));
    }
    let silences = open.said.silences.iter();
    for silence in silences.filter(|silence| silence.holds(scene.now)) {
        page.labelled(4, "silenced ", &words::silence(silence, zone, scene.now));
    }
}

fn ending(ends: &Ending) -> String {
    let mut words = ends.proof.clone();
    if ends.good_looks_needed > 1 {
        words.push_str(&format!(
            "; {} good looks running of {} needed",
            ends.good_looks, ends.good_looks_needed
        ));
    }
    if !ends.good_for_needed.is_zero() {
        words.push_str(&format!(
            "; as it came back, only after {} without a bad look ({} so far)",
            words::duration(ends.good_for_needed),
            words::duration(ends.good_for)
        ));
    }
    words
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
    let mut so_far = format!(
        "{} of {}",
        suspect.looks,
        words::counted(u64::from(suspect.looks_needed), "look")
    );
    if !suspect.held_needed.is_zero() {
        so_far.push_str(&format!(
            ", held {} of {} in which somebody looked",
            words::duration(suspect.held),
            words::duration(suspect.held_needed)
        ));
    }
    page.labelled(4, "so far: ", &so_far);
    let done = suspect.looks >= suspect.looks_needed && suspect.held >= suspect.held_needed;
    let next = match (suspect.waits_for, done) {
        (Some(waits), _) => format!("waits {waits}"),
        (None, true) => "opens when the next sweep that still says so has ended whole".to_owned(),
        (None, false) => "any look that says otherwise drops it".to_owned(),
    };
    page.labelled(4, "next: ", &next);
}
