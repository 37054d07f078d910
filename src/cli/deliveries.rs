//! `deliveries`: every mail, to whom it went, and what the mail server said at every try.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::Deliveries;
use super::exit::Failure;
use super::table::{Look, Page, Style};
use crate::store::{Db, Filter, Scene};
use crate::view::deliveries::{DeliveriesHeading, DeliveryState, WaitingNotice};
use crate::view::{Delivery, words};

/// How far back without `--since`; what still waits is always shown.
const USUAL: Duration = Duration::from_secs(7 * 24 * 3600);

/// The page.
pub fn page(
    db: &mut Db,
    scene: &Scene<'_>,
    args: &Deliveries,
    look: Look,
) -> Result<Page, Failure> {
    let zone = &scene.policy.schedules.zone;
    let since = args.from.moment(scene).unwrap_or(scene.ago(USUAL));
    let filter = Filter {
        since: Some(since),
        ..args.common.filter()
    };
    let address = args.address.as_deref().map(str::trim);
    db.read(|tx| {
        let unwritten = tx.waiting_notices(scene, address)?;
        let mut page = Page::new(look);
        if look.json {
            page.begin_list(
                DeliveriesHeading {
                    unwritten,
                    since: Some(since),
                    address: address.map(str::to_owned),
                },
                "deliveries",
            )?;
            let mut result = Ok(());
            tx.each_delivery(scene.now, filter, address, |line| {
                if result.is_ok() {
                    result = page.item(line);
                }
            })?;
            result?;
            page.end_list();
            return Ok(page);
        }
        let mut messages = Page::new(look);
        let mut counts = [0_u64; 3];
        let mut last = String::new();
        tx.each_delivery(scene.now, filter, address, |line| {
            counts[line.state as usize] += 1;
            if line.message_id != last {
                message(&mut messages, &line, scene);
                last.clone_from(&line.message_id);
            }
            delivery(&mut messages, &line, scene);
        })?;
        let [waiting, accepted, failed] = counts.map(words::number);
        let line = format!(
            "{accepted} accepted, {waiting} waiting, {failed} failed; mails packed since {}, the newest first",
            words::time(since, zone)
        );
        page.say(Style::Bold, &line);
        say_unwritten(&mut page, &unwritten, scene);
        page.append(messages);
        Ok(page)
    })
}

/// What no mail tells yet: the incidents that wait for the same in one line.
fn say_unwritten(page: &mut Page, unwritten: &[WaitingNotice], scene: &Scene<'_>) {
    const NAMED: usize = 10;
    let mut same: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for notice in unwritten {
        let key = (notice.address.as_deref(), notice.waits_for, notice.due_at);
        same.entry(key)
            .or_default()
            .push(notice.incident.to_string());
    }
    if !same.is_empty() {
        page.gap();
        page.say(Style::Plain, "Not written yet:");
    }
    for ((address, waits_for, until), mut incidents) in same {
        let more = incidents.len().saturating_sub(NAMED) as u64;
        incidents.truncate(NAMED);
        if more > 0 {
            incidents.push(format!("{} more", words::number(more)));
        }
        let of = match (incidents.len(), more) {
            (1, 0) => "incident",
            _ => "incidents",
        };
        let waits = words::waits(waits_for, until, &scene.policy.schedules.zone);
        let line = format!("{of} {}, {waits}", words::listed(&incidents));
        let to = format!("{}: ", address.unwrap_or("not addressed yet"));
        page.labelled(2, &to, &line);
    }
}

fn message(page: &mut Page, line: &Delivery, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let at = format!("{}  ", words::short_time(line.packed_at, zone));
    page.labelled(0, &at, &line.subject);
}

fn delivery(page: &mut Page, line: &Delivery, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let style = match line.state {
        DeliveryState::Waiting => Style::Doubtful,
        DeliveryState::Accepted => Style::Good,
        DeliveryState::Failed => Style::Bad,
    };
    page.styled(
        2,
        style,
        &format!("{}: {}", line.address, line.state.name()),
    );
    for attempt in &line.attempts {
        let at = format!("{}  ", words::short_time(attempt.at, zone));
        page.labelled(4, &at, &words::attempt(attempt));
    }
    if let Some(next) = line.next_try_at {
        let at = format!("{}  ", words::short_time(next, zone));
        let end = line
            .give_up_at
            .map(|end| format!(", given up {}", words::short_time(end, zone)));
        page.labelled(4, &at, &format!("next try{}", end.unwrap_or_default()));
    }
}
