//! Between columns and the words of the domain.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::model::{CredentialId, KeyPrint, NoAnswer, Reading, SweepEnd, UserId};

/// A time as the database keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(pub(super) Timestamp);

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for At {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ms = value.as_i64()?;
        Timestamp::from_millisecond(ms)
            .map(At)
            .map_err(|_| FromSqlError::OutOfRange(ms))
    }
}

/// Whose an incident or suspect is: the account and ourselves stand in the tables as credential 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whose(pub(super) Option<CredentialId>);

impl ToSql for Whose {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.map_or(0, |id| id.0).into())
    }
}

impl FromSql for Whose {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        Ok(Whose((number > 0).then_some(CredentialId(number))))
    }
}

/// A word of a closed set, kept as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Copy + Into<&'static str>> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let word: &'static str = self.0.into();
        Ok(word.into())
    }
}

impl<T: FromStr> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        text.parse()
            .map(Word)
            .map_err(|_| FromSqlError::Other(format!("unknown word {text:?}").into()))
    }
}

impl ToSql for UserId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for UserId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        uuid::Uuid::from_slice(bytes)
            .map(UserId)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// What is kept as a number of a closed set.
macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok((*self as i64).into())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                Self::from_repr(number).ok_or(FromSqlError::OutOfRange(number))
            }
        }
    )*};
}

numbers!(SweepEnd, NoAnswer);

/// The columns `status, environment, scopes, key_print, key_tail`, from column `at` on.
pub(super) fn reading(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Reading> {
    let scopes: String = row.get(at + 2)?;
    let print: Option<Vec<u8>> = row.get(at + 3)?;
    let key = match print.and_then(|print| <[u8; 16]>::try_from(print).ok()) {
        Some(print) => Some(KeyPrint {
            print,
            tail: row.get(at + 4)?,
        }),
        None => None,
    };
    Ok(Reading {
        status: row.get(at)?,
        environment: row.get(at + 1)?,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        key,
        ..Reading::default()
    })
}

/// Milliseconds of a duration, as kept.
pub(super) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The duration that was kept; never negative.
pub(super) fn duration(ms: i64) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
