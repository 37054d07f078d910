//! `status`: the credentials as last known, and whether we see.

use std::collections::BTreeSet;

use super::args::Status;
use super::exit::Failure;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::model::{Provider, Severity};
use crate::store::{Db, Scene, Tx};
use crate::view::status::{CredentialCounts, CredentialState, Overview, Watch};
use crate::view::{Credential, words};

/// Of what is neither trouble nor healthy, more are only counted unless all are asked for.
const QUIET_SHOWN: usize = 20;

/// Addresses that something waits for; more are counted.
const UNWRITTEN_SHOWN: usize = 10;

/// The page.
pub fn page(db: &mut Db, scene: &Scene<'_>, args: &Status, look: Look) -> Result<Page, Failure> {
    db.read(|tx| compose(tx, scene, args, look))
        .map(|(page, _)| page)
}

/// The page, and what it counts.
pub(super) fn compose(
    tx: &Tx<'_>,
    scene: &Scene<'_>,
    args: &Status,
    look: Look,
) -> Result<(Page, CredentialCounts), Failure> {
    let filter = args.common.filter();
    let mut counts = CredentialCounts {
        configured: configured(scene, filter.provider),
        ..CredentialCounts::default()
    };
    // Few are in trouble on most days; the healthy ones are not kept, but read once more where they are asked for.
    let mut shown = Vec::new();
    let mut providers = BTreeSet::new();
    tx.each_status(scene, filter, |line| {
        counts.add(&line);
        providers.insert(line.who.provider);
        if is_listed(&line) {
            shown.push(line);
        }
    })?;
    shown.sort_by_cached_key(Credential::rank);
    let overview = Overview {
        at: scene.now,
        watch: tx.watch_state(scene)?,
        counts,
    };
    let mut page = Page::new(look);
    if look.json {
        page.begin_list(&overview, "credentials")?;
        let mut result = shown.iter().try_for_each(|line| page.item(line));
        if args.all {
            tx.each_status(scene, filter, |line| {
                if !is_listed(&line) && result.is_ok() {
                    result = page.item(line);
                }
            })?;
        }
        result?;
        page.end_list();
        return Ok((page, overview.counts));
    }
    say_watch(&mut page, &overview.watch, scene);
    let one = providers.first().copied().filter(|_| providers.len() == 1);
    say_counts(&mut page, &overview.counts, one);
    let mut table = Table::new(&[
        text("CREDENTIAL"),
        text("STATE"),
        text("LEAF SAYS"),
        text("ENVIRONMENT"),
        whole("FOR"),
        whole("LAST LOOK"),
    ]);
    let mut add = |line: &Credential| table.row(cells(line, one, scene));
    let mut quiet = 0;
    for line in &shown {
        quiet += usize::from(is_quiet(line.state));
        if args.all || quiet <= QUIET_SHOWN || !is_quiet(line.state) {
            add(line);
        }
    }
    if args.all {
        tx.each_status(scene, filter, |line| {
            if !is_listed(&line) {
                add(&line);
            }
        })?;
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
    let hidden = if args.all {
        0
    } else {
        quiet.saturating_sub(QUIET_SHOWN)
    };
    say_hidden(&mut page, args, hidden, &overview.counts);
    Ok((page, overview.counts))
}

/// Whether it is listed though not all are asked for.
fn is_listed(line: &Credential) -> bool {
    line.state != CredentialState::Healthy
}

fn is_quiet(state: CredentialState) -> bool {
    matches!(
        state,
        CredentialState::NeverLooked | CredentialState::NotConnected
    )
}

fn configured(scene: &Scene<'_>, provider: Option<Provider>) -> u32 {
    let count = match provider {
        None => scene.watch.len(),
        Some(wanted) => {
            let credentials = scene.watch.credentials();
            credentials
                .filter(|credential| credential.provider == wanted)
                .count()
        }
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn say_watch(page: &mut Page, watch: &Watch, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    if watch.blind {
        let since = watch
            .blind_since
            .map(|at| format!(" since {}", words::time(at, zone)));
        page.say(
            Style::Bad,
            &format!(
                "BLIND{}: what Leaf does not answer about is shown as it was last seen.",
                since.unwrap_or_default()
            ),
        );
    }
    for trouble in &watch.troubles {
        page.say(
            trouble.severity.into(),
            &format!(
                "{}: {}, since {} (incident {})",
                words::shout(trouble.kind),
                words::own(trouble),
                words::time(trouble.began_at, zone),
                trouble.number
            ),
        );
    }
    say_sweeps(page, watch, scene);
    let deliveries = words::command(&scene.policy.daemon, "deliveries");
    let mails = &watch.mails;
    let parts = words::mails(mails);
    let style = match (mails.failed, mails.retrying) {
        (0, 0) => Style::Plain,
        _ => Style::Doubtful,
    };
    match parts.is_empty() {
        true => page.say(
            Style::Plain,
            "Mails: none waiting, none refused in the last 7 days.",
        ),
        false => page.say(
            style,
            &format!("Mails: {}; see: {deliveries}", parts.join(", ")),
        ),
    }
    for unwritten in mails.unwritten.iter().take(UNWRITTEN_SHOWN) {
        let count = words::counted(u64::from(unwritten.notices), "notice");
        let to = unwritten.address.as_deref().unwrap_or("not addressed yet");
        let waits = words::waits(unwritten.waits_for, unwritten.until, zone);
        page.labelled(2, "", &format!("{to}: {count} {waits}"));
    }
    let more = mails.unwritten.len().saturating_sub(UNWRITTEN_SHOWN) as u64;
    if more > 0 {
        let line = format!("and {} more; see: {deliveries}", words::number(more));
        page.labelled(2, "", &line);
    }
}

fn say_sweeps(page: &mut Page, watch: &Watch, scene: &Scene<'_>) {
    let (zone, daemon) = (&scene.policy.schedules.zone, &scene.policy.daemon);
    let when = |at| words::time(at, zone);
    match &watch.last_sweep {
        None => page.say(
            Style::Doubtful,
            &format!(
                "No look at Leaf yet: start the daemon with {}.",
                words::command(daemon, "run")
            ),
        ),
        Some(sweep) => {
            let asked = words::answered(sweep);
            let ended = match sweep.finished_at {
                None => format!("Sweep begun {}, {asked} so far", when(sweep.started_at)),
                Some(at) => format!(
                    "Last sweep: {}, {}, {asked}",
                    when(at),
                    words::sweep_end(sweep.ended)
                ),
            };
            page.say(Style::Plain, &format!("{ended}."));
        }
    }
    if let Some(until) = watch.paused_until {
        let line = format!("{}; nobody is asked before.", words::paused(until, zone));
        page.say(Style::Bad, &line);
    }
    if let Some(stopped) = watch.stopped_at {
        let line = format!("The daemon was stopped {}; nobody looks.", when(stopped));
        page.say(Style::Bad, &line);
    } else if watch.overdue {
        page.say(
            Style::Bad,
            &format!(
                "The next sweep is overdue: is the daemon running? systemctl status {}",
                words::unit(daemon)
            ),
        );
    } else if let Some(next) = watch.next_sweep {
        page.say(Style::Plain, &format!("Next sweep: {}.", when(next)));
    }
}

fn say_counts(page: &mut Page, counts: &CredentialCounts, one: Option<Provider>) {
    let parts = words::counts(&words::by_state(counts));
    let stale = match counts.stale {
        0 => String::new(),
        stale => format!(" ({} stale)", words::number(u64::from(stale))),
    };
    let provider = one.map(|provider| format!("{} ", provider.display_name()));
    let noun = format!("{}credential", provider.unwrap_or_default());
    let watched = words::counted(u64::from(counts.watched), &noun);
    page.gap();
    let line = match parts.is_empty() {
        true => watched,
        false => format!("{watched}: {}{stale}", words::listed(&parts)),
    };
    page.say(Style::Bold, &line);
    if counts.configured != counts.watched {
        let note = format!(
            "The config names {}; the daemon takes that up when it is reloaded or started.",
            words::number(u64::from(counts.configured))
        );
        page.say(Style::Doubtful, &note);
    }
}

fn cells(line: &Credential, one: Option<Provider>, scene: &Scene<'_>) -> [(String, Style); 6] {
    let style = match (line.state, line.problems.first()) {
        (CredentialState::Trouble, Some(problem)) if problem.severity == Severity::Critical => {
            Style::Bad
        }
        (
            CredentialState::Trouble | CredentialState::UnknownStatus | CredentialState::Suspected,
            _,
        ) => Style::Doubtful,
        (CredentialState::Healthy, _) if line.stale => Style::Doubtful,
        (CredentialState::Healthy, _) => Style::Good,
        _ => Style::Dim,
    };
    let length = |since| words::duration(words::between(since, scene.now));
    let name = line.who.user.shown();
    let plain = |text: String| (text, Style::Plain);
    [
        plain(match one {
            Some(_) => name,
            None => words::credential(&name, line.who.provider),
        }),
        (words::state(line), style),
        plain(words::leaf_says(line).to_owned()),
        plain(words::environment(line)),
        plain(line.since.map_or_else(|| "-".to_owned(), length)),
        plain(
            line.last_look
                .map_or_else(|| "never".to_owned(), |at| words::ago(at, scene.now)),
        ),
    ]
}

fn say_hidden(page: &mut Page, args: &Status, quiet: usize, counts: &CredentialCounts) {
    if args.all || (quiet == 0 && counts.healthy == 0) {
        return;
    }
    page.gap();
    let mut parts = Vec::new();
    if quiet > 0 {
        parts.push(format!(
            "{} more that are not connected or not looked at",
            words::number(quiet as u64)
        ));
    }
    if counts.healthy > 0 {
        parts.push(format!(
            "{} healthy",
            words::number(u64::from(counts.healthy))
        ));
    }
    page.say(
        Style::Dim,
        &format!(
            "Not listed: {}; list them with --all",
            words::listed(&parts)
        ),
    );
}
