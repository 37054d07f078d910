//! The watched credentials a page at a time, picked by what a reader asks for; and how many are how.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::status::{CREDENTIALS, Pass};
use super::{Filter, Scene};
use crate::model::{Credential, CredentialId, Kind, Provider, UserId};
use crate::store::row::Word;
use crate::store::{Result, Tx};
use crate::view;
use crate::view::status::{CredentialCounts, CredentialState};

/// Which credentials are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A part of the user's name, or the beginning of the id; empty for all.
    pub name: String,
    /// Of this provider.
    pub provider: Option<Provider>,
    /// In this state.
    pub pick: Option<Pick>,
    /// Of users with this tag.
    pub tag: Option<String>,
}

/// A state to pick by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// With any open incident.
    Trouble,
    /// With an open incident of this kind.
    Kind(Kind),
    /// With trouble that takes a second look, or must hold for a while.
    Suspected,
}

/// A page of credentials.
#[derive(Debug, Clone)]
pub struct Roll {
    /// The credentials, each with its number.
    pub credentials: Vec<(CredentialId, view::Credential)>,
    /// After which number to go on; none where there are no more.
    pub next: Option<CredentialId>,
}

/// How many watched credentials are how.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// All together.
    pub counts: CredentialCounts,
    /// By provider and state.
    pub by: BTreeMap<(Provider, CredentialState), u64>,
}

impl Tx<'_> {
    /// Up to `limit` watched credentials after the one numbered `after`, by name; those picked by
    /// their trouble the worst first.
    pub fn roll(
        &self,
        scene: &Scene<'_>,
        wanted: &Wanted,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Roll> {
        let pass = self.pass(scene.now)?;
        let mut page = RollPage {
            tx: self,
            scene,
            pass: &pass,
            matcher: Matcher::new(scene, wanted),
            limit,
            credentials: Vec::with_capacity(limit),
            more: false,
        };
        match wanted.pick {
            Some(pick) => page.of_picked(&pass.picked(pick), after)?,
            None => page.of_directory(after)?,
        }
        let next = page
            .credentials
            .last()
            .map(|(id, _)| *id)
            .filter(|_| page.more);
        Ok(Roll {
            credentials: page.credentials,
            next,
        })
    }

    /// How many watched credentials are how, all together, and by provider and state. A pass over all of them.
    pub fn fleet(&self, scene: &Scene<'_>) -> Result<Fleet> {
        let mut counts = CredentialCounts {
            configured: u32::try_from(scene.watch.len()).unwrap_or(u32::MAX),
            ..CredentialCounts::default()
        };
        let mut by = BTreeMap::new();
        self.each_status(scene, Filter::default(), |line| {
            counts.add(&line);
            *by.entry((line.who.provider, line.state)).or_default() += 1;
        })?;
        Ok(Fleet { counts, by })
    }

    /// The providers of a user's credentials, those no longer watched too.
    pub fn providers_of(&self, user: UserId) -> Result<Vec<Provider>> {
        let all = self.credentials_of(user)?;
        Ok(all.into_iter().map(|(_, provider)| provider).collect())
    }

    /// The number of a credential; none where it was never watched.
    pub fn number_of(&self, credential: Credential) -> Result<Option<CredentialId>> {
        let sql = "SELECT id FROM credential WHERE leaf_user = ?1 AND provider = ?2";
        let id = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![credential.user, Word(credential.provider)], |row| {
                Ok(CredentialId(row.get(0)?))
            });
        Ok(id.optional()?)
    }
}

impl Pass {
    /// The credentials to which `pick` applies, the worst first.
    fn picked(&self, pick: Pick) -> Vec<CredentialId> {
        if pick == Pick::Suspected {
            let mut ids: Vec<CredentialId> = self.suspects.keys().copied().collect();
            ids.retain(|id| !self.open.contains_key(id));
            ids.sort_unstable();
            return ids;
        }
        let mut found: Vec<_> = self
            .open
            .iter()
            .filter_map(|(id, open)| {
                let fits = |kind| pick == Pick::Trouble || pick == Pick::Kind(kind);
                let worst = open.iter().find(|incident| fits(incident.kind))?;
                let recovers = worst.well.is_some();
                Some((recovers, worst.kind.rank(), worst.began_at, *id))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(.., id)| id).collect()
    }
}

/// What can be told of a credential without reading how it is.
struct Matcher<'a> {
    scene: &'a Scene<'a>,
    name: String,
    provider: Option<Provider>,
    tag: Option<&'a str>,
}

impl<'a> Matcher<'a> {
    fn new(scene: &'a Scene<'a>, wanted: &'a Wanted) -> Self {
        Matcher {
            scene,
            name: wanted.name.trim().to_lowercase(),
            provider: wanted.provider,
            tag: wanted.tag.as_deref(),
        }
    }

    fn takes(&self, credential: Credential, leaf_name: Option<&str>) -> bool {
        if self
            .provider
            .is_some_and(|wanted| wanted != credential.provider)
        {
            return false;
        }
        let user = self.scene.watch.user(credential.user);
        let own = user.and_then(|user| user.own.as_ref());
        let tags = own.map_or(&[][..], |own| &own.tags);
        if self
            .tag
            .is_some_and(|wanted| tags.iter().all(|tag| tag != wanted))
        {
            return false;
        }
        let name = user.and_then(|user| user.name.as_deref()).or(leaf_name);
        self.name.is_empty()
            || name.is_some_and(|name| name.to_lowercase().contains(&self.name))
            || credential.user.to_string().starts_with(&self.name)
    }
}

/// A page that fills up.
struct RollPage<'a> {
    tx: &'a Tx<'a>,
    scene: &'a Scene<'a>,
    pass: &'a Pass,
    matcher: Matcher<'a>,
    limit: usize,
    credentials: Vec<(CredentialId, view::Credential)>,
    more: bool,
}

impl RollPage<'_> {
    fn of_picked(&mut self, ids: &[CredentialId], after: Option<CredentialId>) -> Result<()> {
        // One that is no longer among them: from the beginning.
        let start = after
            .and_then(|after| ids.iter().position(|id| *id == after))
            .map_or(0, |at| at + 1);
        let mut statement = self.tx.conn.prepare_cached(
            "SELECT leaf_user, provider, leaf_name FROM credential WHERE id = ?1 AND watched = 1",
        )?;
        for &id in &ids[start..] {
            let found = statement.query_row([id.0], |row| {
                let Word(provider) = row.get(1)?;
                let credential = Credential {
                    user: row.get(0)?,
                    provider,
                };
                Ok((credential, row.get::<_, Option<String>>(2)?))
            });
            if let Some((credential, name)) = found.optional()?
                && self.matcher.takes(credential, name.as_deref())
                && !self.add(id)?
            {
                break;
            }
        }
        Ok(())
    }

    fn of_directory(&mut self, after: Option<CredentialId>) -> Result<()> {
        let place = "SELECT coalesce(leaf_name, '~') FROM credential WHERE id = ?1";
        let place: Option<String> = match after {
            None => None,
            Some(after) => self
                .tx
                .conn
                .prepare_cached(place)?
                .query_row([after.0], |row| row.get(0))
                .optional()?,
        };
        let mut statement = self.tx.conn.prepare_cached(
            "SELECT id, leaf_user, provider, leaf_name FROM credential INDEXED BY credential_name
             WHERE watched = 1 AND (coalesce(leaf_name, '~') COLLATE NOCASE, id) > (?1, ?2)
             ORDER BY coalesce(leaf_name, '~') COLLATE NOCASE, id",
        )?;
        let from = after.filter(|_| place.is_some()).map_or(0, |after| after.0);
        let mut rows = statement.query(params![place.unwrap_or_default(), from])?;
        while let Some(row) = rows.next()? {
            let Word(provider) = row.get(2)?;
            let credential = Credential {
                user: row.get(1)?,
                provider,
            };
            let name: Option<String> = row.get(3)?;
            if self.matcher.takes(credential, name.as_deref())
                && !self.add(CredentialId(row.get(0)?))?
            {
                break;
            }
        }
        Ok(())
    }

    /// Adds one; false where the page was full already.
    fn add(&mut self, id: CredentialId) -> Result<bool> {
        if self.credentials.len() == self.limit {
            self.more = true;
            return Ok(false);
        }
        let mut statement = self
            .tx
            .conn
            .prepare_cached(&format!("{CREDENTIALS} WHERE c.id = ?1"))?;
        let line = statement.query_row([id.0], |row| self.pass.credential(self.scene, row))?;
        self.credentials.push((id, line));
        Ok(true)
    }
}
