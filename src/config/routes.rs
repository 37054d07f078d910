//! `[[alerts.routes]]`: who else is told, by what it is about.

use super::addresses::addresses;
use super::fault::{nearest, quoted};
use super::reader::Section;
use crate::model::{Credential, Kind, Provider, Route, UserId, WatchList};

pub(super) fn read(alerts: &Section<'_>) -> Vec<Route> {
    alerts.entries("routes").iter().filter_map(route).collect()
}

fn route(entry: &Section<'_>) -> Option<Route> {
    let faults = entry.reader().faults_so_far();
    let route = Route {
        providers: words(entry, "providers", Provider::all().map(Provider::name)),
        problems: words(entry, "problems", Kind::ALL.iter().map(|kind| kind.name())),
        severity: entry.parsed("severity", "write \"critical\" or \"warning\""),
        tags: entry
            .list("tags")
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        to: addresses(entry, "to"),
        only: entry.flag("only", false),
    };
    let understood = entry.reader().faults_so_far() == faults;
    if route.to.is_empty() && understood {
        entry.fault(
            "to",
            "the route leads to nobody",
            "write who is told: to = [\"north@example.com\"]",
        );
    }
    understood.then_some(route)
}

/// The words of a list, each of a closed set.
fn words<T: std::str::FromStr>(
    entry: &Section<'_>,
    key: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Vec<T> {
    let listed = entry.list(key).unwrap_or_default();
    listed
        .into_iter()
        .filter_map(|word| match word.trim().parse() {
            Ok(value) => Some(value),
            Err(_) => {
                let write = match nearest(word, known.clone()) {
                    Some(near) => format!("did you mean {}?", quoted(near)),
                    None => format!(
                        "the known ones are {}",
                        known.clone().collect::<Vec<_>>().join(", ")
                    ),
                };
                let wrong = format!("{} is not known", quoted(word));
                entry.fault_in(key, word, &wrong, &write);
                None
            }
        })
        .collect()
}

/// Names the routes that can never match.
pub(super) fn warn_of_dead(alerts: &Section<'_>, routes: &[Route], watch: &WatchList) {
    for (route, entry) in routes.iter().zip(alerts.entries("routes")) {
        if let Some(why) = why_dead(route, watch) {
            let what = format!("this route can never match: {why}");
            entry.warn("to", &what, "correct it, or take the route out");
        }
    }
}

fn why_dead(route: &Route, watch: &WatchList) -> Option<&'static str> {
    let Route {
        providers, tags, ..
    } = route;
    let of_provider =
        |credential: &Credential| providers.is_empty() || providers.contains(&credential.provider);
    let tagged = |user: UserId| {
        let own = watch.user(user).and_then(|user| user.own.as_deref());
        let known = own.map_or(&[][..], |own| &own.tags);
        tags.is_empty() || tags.iter().any(|tag| known.contains(tag))
    };
    let kinds: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| route.problems.is_empty() || route.problems.contains(kind))
        .filter(|kind| {
            route
                .severity
                .is_none_or(|wanted| wanted == kind.severity())
        })
        .collect();
    let for_everything = providers.is_empty() && tags.is_empty();
    if !watch.credentials().any(|one| of_provider(&one)) {
        Some("none of its providers is watched")
    } else if !watch.users().iter().any(|user| tagged(user.id)) {
        Some("no watched user has one of its tags")
    } else if kinds.is_empty() {
        Some("none of its problems has its severity")
    } else if for_everything && kinds.iter().any(|kind| !kind.is_of_a_credential()) {
        None
    } else if !kinds.iter().any(|kind| kind.is_of_a_credential()) {
        Some("its problems belong to no user or provider")
    } else {
        let mut matched = watch
            .credentials()
            .filter(|one| of_provider(one) && tagged(one.user))
            .peekable();
        if matched.peek().is_none() {
            return Some("no user with one of its tags has one of its providers");
        }
        let can_be = |one: Credential| kinds.iter().any(|kind| kind.can_be_of(one.provider));
        let alive = matched.any(can_be);
        (!alive).then_some("its problems cannot be seen at the providers it is about")
    }
}
