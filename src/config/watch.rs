//! `[watch]`: whose credentials are watched, and what is expected of them.

use std::collections::{BTreeMap, HashMap};

use super::addresses::WRITE_ADDRESS;
use super::fault::quoted;
use super::reader::Section;
use super::roll::{
    Origin, Roll, WRITE_ENVIRONMENT, WRITE_ID, double_id, providers, reconnect_url, tags,
};
use super::{growers, placeholders};
use crate::model::{Address, Environment, OwnSettings, Provider, UserId, WatchList, WatchedUser};

pub(super) fn read(watch: &Section<'_>) -> WatchList {
    let faults = watch.reader().faults_so_far();
    let providers = match watch.list("providers") {
        Some(words) => providers_in(watch, &words),
        None => vec![Provider::JOHN_DEERE],
    };
    let (for_all, by_provider) = expected_environment(watch);
    let mut roll = Roll::default();
    for (at, entry) in watch.entries("users").iter().enumerate() {
        if let Some(user) = user(entry) {
            let place = Origin::Entry(at + 1);
            roll.add(user, place, |id, other| double_entry(entry, id, other));
        }
    }
    if let Some(file) = watch.text("users_file") {
        let path = watch.reader().source.folder().join(file);
        growers::read(&path, &mut roll, &mut |fault| watch.reader().add(fault));
    }
    warn_of_names(watch, &roll);
    warn_of_samples(watch, &roll);
    let users = roll.users;
    // Where something was not understood, its own fault says enough.
    let understood = watch.reader().faults_so_far() == faults;
    if users.is_empty() && understood {
        watch.fault(
            "users",
            "nobody is watched",
            "name the growers: an entry [[watch.users]] with its id for each, or a users_file",
        );
    }
    let list = WatchList::new(users, providers)
        .expect_of_all(for_all)
        .expect_by_provider(by_provider)
        .reconnect_at(reconnect_urls(watch));
    if !list.users().is_empty() && list.is_empty() && understood {
        watch.fault(
            "providers",
            "no user has a provider, so that no credential is watched",
            "write the providers of all users, such as [\"john-deere\"]",
        );
    }
    warn_of_undeclared(watch, &list);
    list
}

/// Users who cannot be told apart by their names.
fn warn_of_names(watch: &Section<'_>, roll: &Roll) {
    const TOLD: usize = 5;
    let mut first: HashMap<String, usize> = HashMap::with_capacity(roll.users.len());
    // By the place of the first who is called so.
    let mut double: BTreeMap<usize, Vec<&WatchedUser>> = BTreeMap::new();
    for (at, user) in roll.users.iter().enumerate() {
        let Some(name) = &user.name else { continue };
        let first = *first.entry(name.to_lowercase()).or_insert(at);
        if first != at {
            let users = double
                .entry(first)
                .or_insert_with(|| vec![&roll.users[first]]);
            users.push(user);
        }
    }
    for users in double.values().take(TOLD) {
        let places: Vec<String> = users
            .iter()
            .take(TOLD)
            .filter_map(|user| roll.seen.get(&user.id))
            .map(ToString::to_string)
            .collect();
        let name = users.first().and_then(|user| user.name.as_deref());
        let what = format!(
            "{} users are called {}: {}{}",
            users.len(),
            quoted(name.unwrap_or_default()),
            places.join(", "),
            more(users.len(), TOLD),
        );
        let advice = "give each a name of its own: mails and commands call them by it";
        watch.warn("users", &what, advice);
    }
    if double.len() > TOLD {
        let what = format!("{} more names belong to several users", double.len() - TOLD);
        watch.warn("users", &what, "give each user a name of its own");
    }
}

/// Lines of the users file that nobody wrote for themselves.
fn warn_of_samples(watch: &Section<'_>, roll: &Roll) {
    const TOLD: usize = 5;
    let samples = placeholders::users();
    let of_samples = roll
        .users
        .iter()
        .filter(|user| placeholders::is_of_a_sample(user, &samples));
    let lines: Vec<String> = of_samples
        .filter_map(|user| roll.seen.get(&user.id))
        .filter(|origin| matches!(origin, Origin::Line(_)))
        .map(ToString::to_string)
        .collect();
    if lines.is_empty() {
        return;
    }
    let what = format!(
        "growers of the sample stand in it, or addresses at example.com: {}{}",
        lines[..lines.len().min(TOLD)].join(", "),
        more(lines.len(), TOLD),
    );
    watch.warn("users_file", &what, "write your own growers");
}

fn more(all: usize, told: usize) -> String {
    match all.saturating_sub(told) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

fn double_entry(entry: &Section<'_>, id: UserId, other: Origin) {
    let (wrong, write) = double_id(id, other);
    entry.fault("id", &wrong, &write);
}

fn user(entry: &Section<'_>) -> Option<WatchedUser> {
    if !entry.has("id") {
        entry.fault("id", "it is not set", WRITE_ID);
    }
    let id = entry.text("id");
    let parsed = id.and_then(|id| id.parse::<UserId>().ok());
    if let (Some(id), None) = (id, parsed) {
        entry.fault(
            "id",
            &format!("{} is no Leaf user id", quoted(id)),
            WRITE_ID,
        );
    }
    let name = entry.text("name").map(Box::from);
    let named = entry.list("providers");
    if named.as_ref().is_some_and(Vec::is_empty) {
        entry.fault(
            "providers",
            "the list is empty, so that nothing of this user would be watched",
            "leave it out for those of [watch], or name one",
        );
    }
    let own = OwnSettings {
        providers: named.map(|words| providers_in(entry, &words)),
        expected_environment: entry.parsed("expected_environment", WRITE_ENVIRONMENT),
        notify: entry
            .parsed_list::<Address>("notify", WRITE_ADDRESS)
            .unwrap_or_default(),
        tags: tags(entry.list("tags").unwrap_or_default().into_iter()),
        reconnect_url: entry.text("reconnect_url").and_then(|url| {
            reconnect_url(url)
                .map_err(|(wrong, write)| entry.fault("reconnect_url", &wrong, write))
                .ok()
        }),
    };
    Some(WatchedUser {
        id: parsed?,
        name,
        own: (own != OwnSettings::default()).then(|| Box::new(own)),
    })
}

/// The list `providers` of a section.
fn providers_in(section: &Section<'_>, words: &[&str]) -> Vec<Provider> {
    let parse = |word: &&str| {
        providers(std::iter::once(*word), &mut |wrong, write| {
            section.fault_in("providers", word, &wrong, &write);
        })
    };
    let mut found = Vec::new();
    for provider in words.iter().flat_map(parse) {
        if !found.contains(&provider) {
            found.push(provider);
        }
    }
    found
}

/// The word for all credentials, or one by provider.
fn expected_environment(
    watch: &Section<'_>,
) -> (Option<Environment>, Vec<(Provider, Environment)>) {
    const KEY: &str = "expected_environment";
    let Some(table) = watch.free(KEY) else {
        return (watch.parsed(KEY, WRITE_ENVIRONMENT), Vec::new());
    };
    let mut by_provider = Vec::new();
    for (name, word) in table {
        let mut known = providers(std::iter::once(name.as_str()), &mut |wrong, write| {
            watch.fault(KEY, &wrong, &write);
        });
        let environment = word
            .as_str()
            .and_then(|word| word.parse::<Environment>().ok());
        if environment.is_none() {
            let wrong = format!("what is expected of {} is no environment", quoted(name));
            watch.fault(KEY, &wrong, WRITE_ENVIRONMENT);
        }
        let (Some(provider), Some(environment)) = (known.pop(), environment) else {
            continue;
        };
        if !provider.has_environment() {
            watch.warn(
                KEY,
                &format!(
                    "credentials of {provider} have no environment, so that nothing is compared"
                ),
                "leave the provider out here",
            );
        }
        by_provider.push((provider, environment));
    }
    (None, by_provider)
}

/// The link to connect again: one for all, or a table by provider.
fn reconnect_urls(watch: &Section<'_>) -> Vec<(Option<Provider>, String)> {
    const KEY: &str = "reconnect_url";
    let Some(table) = watch.free(KEY) else {
        let url = watch.text(KEY).map(reconnect_url);
        return match url {
            Some(Ok(url)) => vec![(None, url)],
            Some(Err((wrong, write))) => {
                watch.fault(KEY, &wrong, write);
                Vec::new()
            }
            None => Vec::new(),
        };
    };
    let mut urls = Vec::new();
    for (name, url) in table {
        let mut known = providers(std::iter::once(name.as_str()), &mut |wrong, write| {
            watch.fault(KEY, &wrong, &write);
        });
        match reconnect_url(url.as_str().unwrap_or_default()) {
            Ok(url) => urls.extend(known.pop().map(|provider| (Some(provider), url))),
            Err((wrong, write)) => watch.fault(KEY, &wrong, write),
        }
    }
    urls
}

fn warn_of_undeclared(watch: &Section<'_>, list: &WatchList) {
    let undeclared = list
        .credentials()
        .filter(|credential| credential.provider.has_environment())
        .filter(|credential| list.expectation(*credential).environment.is_none())
        .count();
    if undeclared > 0 {
        watch.warn(
            "expected_environment",
            &format!(
                "no environment is declared for {undeclared} of {} credentials, so that one in STAGE among PRODUCTION may go unseen",
                list.len()
            ),
            "write expected_environment = \"PRODUCTION\", or one by provider",
        );
    }
}
