//! Fields that take whatever Leaf sends: a scalar of the wrong type is read as its text, anything else as absent.
//!
//! A wrong type in one field must never cost the whole record.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::text::{WORD, clean_word};

/// The visitor methods of a type for which every scalar of the wrong kind, and `null`, means the same.
macro_rules! scalars_are {
    ($value:expr, $type:ty, [$($visit:ident($scalar:ty)),*]) => {
        $(fn $visit<E>(self, _: $scalar) -> Result<$type, E> {
            Ok($value)
        })*

        fn visit_bool<E>(self, _: bool) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
            Ok($value)
        }
    };
}
pub(super) use scalars_are;

/// Reads a scalar as text and hands it to a function before anything else sees it; `null`, lists and objects are
/// skipped and read as `None`.
pub(super) struct Scalar<F>(pub(super) F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Scalar<F> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(&str) -> T> Visitor<'de> for Scalar<F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some((self.0)(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some((self.0)(if value { "true" } else { "false" })))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some((self.0)(&number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some((self.0)(&number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some((self.0)(&number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// One word from upstream, cleaned and cut; empty and wrongly typed is `None`.
#[derive(Debug, Default)]
pub(super) struct Word(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Scalar(|text: &str| clean_word(text, WORD)).deserialize(deserializer)?;
        Ok(Word(word.filter(|word| !word.trim().is_empty())))
    }
}

/// A list of words: an array of scalars, or one text with blanks or commas between them; else empty.
#[derive(Debug, Default)]
pub(super) struct Words(pub(super) Vec<String>);

/// More scopes than this are not kept.
const MOST_WORDS: usize = 64;

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Words, E> {
        let words = text.split([' ', ',', '\t', '\n']);
        let words = words.filter(|word| !word.is_empty());
        Ok(Words(
            words
                .take(MOST_WORDS)
                .map(|word| clean_word(word, WORD))
                .collect(),
        ))
    }

    scalars_are!(Words::default(), Words, []);

    fn visit_unit<E>(self) -> Result<Words, E> {
        Ok(Words::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(Word(word)) = list.next_element()? {
            if let Some(word) = word.filter(|_| words.len() < MOST_WORDS) {
                words.push(word);
            }
        }
        Ok(Words(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Words::default())
    }
}
