//! `[[alerts.routes]]`: who else is told, by what it is about.

use super::alerts::addresses;
use super::fault::{nearest, quoted};
use super::reader::Section;
use crate::model::{Kind, Provider, Route, WatchList};

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
                entry.fault(key, &format!("{} is not known", quoted(word)), &write);
                None
            }
        })
        .collect()
}

/// Names the routes that can never match.
pub(super) fn warn_of_dead(alerts: &Section<'_>, routes: &[Route], watch: &WatchList) {
    for (route, entry) in routes.iter().zip(alerts.entries("routes")) {
        let dead = |why: &str| entry.warn("to", why, "correct it, or take the route out");
        let watched = |provider: &Provider| {
            watch
                .credentials()
                .any(|credential| credential.provider == *provider)
        };
        let tagged = |tag: &String| {
            let own = watch.users().iter().filter_map(|user| user.own.as_ref());
            own.flat_map(|own| &own.tags).any(|known| known == tag)
        };
        if !route.providers.is_empty() && !route.providers.iter().any(watched) {
            dead("this route can never match: none of its providers is watched");
        } else if !route.tags.is_empty() && !route.tags.iter().any(tagged) {
            dead("this route can never match: no watched user has one of its tags");
        } else if !route.problems.is_empty()
            && route.severity.is_some_and(|severity| {
                route
                    .problems
                    .iter()
                    .all(|kind| kind.severity() != severity)
            })
        {
            dead("this route can never match: none of its problems has its severity");
        } else if (!route.tags.is_empty() || !route.providers.is_empty())
            && !route.problems.is_empty()
            && route.problems.iter().all(|kind| !kind.is_of_a_credential())
        {
            dead("this route can never match: its problems belong to no user or provider");
        }
    }
}
