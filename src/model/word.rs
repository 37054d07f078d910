//! Words of closed sets.

/// A word that is not one of its set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {set} {word:?}")]
pub struct UnknownWord {
    set: &'static str,
    word: String,
}

impl UnknownWord {
    pub(super) fn new(set: &'static str, word: &str) -> UnknownWord {
        UnknownWord {
            set,
            word: word.to_owned(),
        }
    }
}
