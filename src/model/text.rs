//! Foreign text made safe to show: what others wrote never steers a terminal, a header or the reading direction.

/// Stands for what was left out of a text before it was kept: what holds it is no longer what others wrote.
pub const GONE: &str = "…";

/// `text` on one line, without control, bidi and invisible characters, blanks collapsed, at most `max` characters.
///
/// What is cut ends with an ellipsis, which counts. Joiners (U+200C, U+200D) stay: names in some scripts need them.
pub fn clean(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(4 * max));
    let mut length = 0;
    let mut blank = false;
    for character in text.chars() {
        if invisible(character) {
            continue;
        }
        if character.is_control() || character.is_whitespace() {
            blank = length > 0;
            continue;
        }
        let needed = if blank { 2 } else { 1 };
        if length + needed > max {
            return cut(out, length, max);
        }
        if blank {
            out.push(' ');
            blank = false;
        }
        out.push(character);
        length += needed;
    }
    out
}

/// `text` without control, bidi and invisible characters, joiners too; line ends (as `\n`) and tabs stay.
pub fn clean_lines(text: &str) -> String {
    text.chars()
        .filter(|&c| {
            matches!(c, '\n' | '\t')
                || !(c.is_control()
                    || invisible(c)
                    || matches!(c, '\u{200C}' | '\u{200D}' | '\u{2028}' | '\u{2029}'))
        })
        .collect()
}

fn cut(mut out: String, length: usize, max: usize) -> String {
    if length == max {
        out.pop();
    }
    if max > 0 {
        let kept = out.trim_end().len();
        out.truncate(kept);
        out.push('…');
    }
    out
}

/// Characters that change how others are shown, or are not seen at all.
fn invisible(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cannot_be_broken_and_a_terminal_cannot_be_steered() {
        assert_eq!(
            clean("Hill\r\nBcc: eve@example.com", 80),
            "Hill Bcc: eve@example.com"
        );
        assert_eq!(clean("\u{1b}[31mred\u{7}\0", 80), "[31mred");
        assert_eq!(clean("a\u{2028}b\u{85}c", 80), "a b c");
        assert_eq!(clean_lines("a\r\n\tb\u{0}\u{200d}c"), "a\n\tbc");
    }

    #[test]
    fn the_reading_direction_cannot_be_turned() {
        assert_eq!(
            clean("KO \u{202e}DILAVNI\u{202c} \u{2066}x\u{2069}", 80),
            "KO DILAVNI x"
        );
        assert_eq!(clean("O\u{200b}K", 80), "OK");
    }

    #[test]
    fn what_is_cut_says_so_and_holds_the_limit() {
        for (text, max, wanted) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("abcd ef g", 6, "abcd…"),
            ("äöüßéè", 3, "äö…"),
            ("ab", 0, ""),
            ("  a   b  ", 3, "a b"),
        ] {
            assert_eq!(clean(text, max), wanted, "{text:?} cut to {max}");
            assert!(clean(text, max).chars().count() <= max);
        }
    }
}
