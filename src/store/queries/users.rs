//! Finds the one user that somebody means by a name, an id, or the beginning of either.

use std::collections::{HashMap, HashSet};

use super::Scene;
use crate::model::UserId;
use crate::store::{Error, Result, Tx};
use crate::view::User;

/// Why the text names no single user.
#[derive(Debug, thiserror::Error)]
pub enum NotOneUser {
    /// Nobody.
    #[error("no user has an id or a name like {asked:?}{}", listed("similar", .similar, *.count))]
    Nobody {
        /// What was asked for.
        asked: String,
        /// In how many names it stands somewhere.
        count: usize,
        /// The first of their users.
        similar: Vec<User>,
    },
    /// More than one.
    #[error("{count} users fit {asked:?}; say more of the name, or the id{}", listed("they are", .candidates, *.count))]
    Several {
        /// What was asked for.
        asked: String,
        /// How many fit.
        count: usize,
        /// The first of them.
        candidates: Vec<User>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<rusqlite::Error> for NotOneUser {
    fn from(error: rusqlite::Error) -> Self {
        NotOneUser::Store(error.into())
    }
}

/// More are not listed.
const LISTED: usize = 10;

fn listed(heading: &str, users: &[User], count: usize) -> String {
    if users.is_empty() {
        return String::new();
    }
    let mut out = format!("; {heading}:");
    for user in users {
        out.push_str(&format!("\n  {}", user.user));
        if let Some(name) = &user.name {
            out.push_str(&format!("  {name}"));
        }
    }
    if count > users.len() {
        out.push_str(&format!("\n  and {} more", count - users.len()));
    }
    out
}

impl Tx<'_> {
    /// The user that `asked` means: a whole id; else the whole name of one user; else the beginning of one user's name or
    /// id. Users that are no longer watched count too.
    ///
    /// # Errors
    /// [`NotOneUser`] where none or several fit.
    pub fn find_user(
        &self,
        scene: &Scene<'_>,
        asked: &str,
    ) -> std::result::Result<User, NotOneUser> {
        let users = self.users(scene)?;
        if let Ok(id) = asked.parse::<UserId>()
            && let Some(found) = users.iter().find(|user| user.user == id)
        {
            return Ok(found.clone());
        }
        let wanted = asked.trim().to_lowercase();
        let name = |user: &User| user.name.as_ref().map(|name| name.to_lowercase());
        let whole = |user: &User| name(user).is_some_and(|name| name == wanted);
        let begins = |user: &User| {
            user.user.to_string().starts_with(&wanted)
                || name(user).is_some_and(|name| name.starts_with(&wanted))
        };
        let fitting = |fits: &dyn Fn(&User) -> bool| -> Vec<User> {
            users.iter().filter(|user| fits(user)).cloned().collect()
        };
        let mut found = match wanted.is_empty() {
            true => Vec::new(),
            false => fitting(&whole),
        };
        if found.is_empty() && !wanted.is_empty() {
            found = fitting(&begins);
        }
        let count = found.len();
        let asked = asked.trim().to_owned();
        match found.pop() {
            Some(user) if count == 1 => Ok(user),
            Some(last) => {
                found.push(last);
                found.truncate(LISTED);
                Err(NotOneUser::Several {
                    asked,
                    count,
                    candidates: found,
                })
            }
            None => {
                let somewhere = |user: &User| {
                    !wanted.is_empty() && name(user).is_some_and(|name| name.contains(&wanted))
                };
                let mut similar = fitting(&somewhere);
                let count = similar.len();
                similar.truncate(LISTED);
                Err(NotOneUser::Nobody {
                    asked,
                    count,
                    similar,
                })
            }
        }
    }

    /// Everybody in the config or in the database, each once, in the order of the config.
    fn users(&self, scene: &Scene<'_>) -> Result<Vec<User>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT leaf_user, max(leaf_name) FROM credential GROUP BY leaf_user",
        )?;
        let mut rows = statement.query([])?;
        let mut kept: HashMap<UserId, Option<String>> = HashMap::new();
        while let Some(row) = rows.next()? {
            kept.insert(row.get(0)?, row.get(1)?);
        }
        let watched: HashSet<UserId> = scene.watch.users().iter().map(|user| user.id).collect();
        let mut users: Vec<User> = Vec::with_capacity(kept.len());
        for user in scene.watch.users() {
            let leaf_name = kept.get(&user.id).and_then(|name| name.as_deref());
            users.push(scene.user(user.id, leaf_name));
        }
        let mut others: Vec<User> = kept
            .iter()
            .filter(|(id, _)| !watched.contains(id))
            .map(|(id, name)| scene.user(*id, name.as_deref()))
            .collect();
        others.sort_by_key(|user| user.user);
        users.append(&mut others);
        Ok(users)
    }
}
