//! Makes text from upstream harmless to show: no control, bidi or invisible characters, a sane length.

/// The longest single word (status, id, scope, name) that is kept, in characters.
pub(super) const WORD: usize = 120;

/// Cuts a single-line `text` to `longest` characters and strips what must not reach a terminal, log line or mail.
/// Line ends and tabs become blanks; surrounding blanks stay, since the raw word is shown as it came.
pub(super) fn clean_word(text: &str, longest: usize) -> String {
    if text.len() <= longest && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if matches!(c, '\n' | '\r' | '\t') {
                ' '
            } else {
                c
            }
        })
        .filter(|&c| is_harmless(c))
        .take(longest)
        .collect()
}

/// Control characters, direction marks and overrides, and characters without any width are not.
fn is_harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_go_and_the_rest_stays() {
        assert_eq!(
            clean_word("OK\u{202e}\u{7}\u{1b}[31m\u{200b}\r\nÜ", 40),
            "OK[31m  Ü"
        );
    }

    #[test]
    fn length_is_cut_at_characters() {
        assert_eq!(clean_word(&"ü".repeat(500), 120).chars().count(), 120);
        assert_eq!(clean_word(&"x".repeat(500), 120).len(), 120);
    }
}
