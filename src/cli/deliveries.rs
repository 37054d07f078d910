//! `deliveries`: every mail, to whom it went, and what the mail server said at every try.

use std::time::Duration;

use super::args::Deliveries;
use super::exit::Failure;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::store::{Db, Filter, Scene};
use crate::view::deliveries::{Attempt, Heading, Line, State};
use crate::view::words;

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
        let mut page = Page::new(look);
        if look.json {
            page.begin_list(
                Heading {
                    since: Some(since),
                    address: address.map(str::to_owned),
                },
                "deliveries",
            )?;
            let mut result = Ok(());
            tx.each_delivery(filter, address, |line| {
                if result.is_ok() {
                    result = page.item(line);
                }
            })?;
            result?;
            page.end_list();
            return Ok(page);
        }
        let mut table = Table::new(&[
            whole("PACKED"),
            text("TO"),
            text("STATE"),
            text("SUBJECT"),
            text("MAIL SERVER"),
        ]);
        let mut counts = [0_u64; 3];
        tx.each_delivery(filter, address, |line| {
            counts[line.state as usize] += 1;
            add(&mut table, &line, scene);
        })?;
        let [waiting, accepted, failed] = counts.map(words::number);
        let line = format!(
            "{accepted} accepted, {waiting} waiting, {failed} failed; mails packed since {}, the newest first",
            words::time(since, zone)
        );
        page.say(Style::Bold, &line);
        if !table.is_empty() {
            page.gap();
            page.table(&table);
        }
        Ok(page)
    })
}

fn add(table: &mut Table, line: &Line, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let style = match line.state {
        State::Waiting => Style::Doubtful,
        State::Accepted => Style::Good,
        State::Failed => Style::Bad,
    };
    let mut tries: Vec<String> = line
        .attempts
        .iter()
        .map(|attempt| tried(attempt, scene))
        .collect();
    if let Some(next) = line.next_try_at {
        let end = line
            .give_up_at
            .map(|at| format!(", given up {}", words::short_time(at, zone)));
        tries.push(format!(
            "next try {}{}",
            words::short_time(next, zone),
            end.unwrap_or_default()
        ));
    }
    table.styled_row([
        (words::short_time(line.packed_at, zone), Style::Plain),
        (line.address.clone(), Style::Plain),
        (line.state.name().to_owned(), style),
        (line.subject.clone(), Style::Plain),
        (tries.join("\n"), Style::Plain),
    ]);
}

fn tried(attempt: &Attempt, scene: &Scene<'_>) -> String {
    let zone = &scene.policy.schedules.zone;
    let code = attempt
        .code
        .map(|code| format!(" {code}"))
        .unwrap_or_default();
    format!(
        "{} {}{code} {}",
        words::short_time(attempt.at, zone),
        attempt.phase,
        attempt.reply
    )
}
