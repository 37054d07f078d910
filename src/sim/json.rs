//! JSON written by hand: the answers of a hundred thousand credentials should cost little.

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push_str(text);
    } else {
        for letter in text.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                control if u32::from(control) < 0x20 => {
                    out.push_str(&format!("\\u{:04x}", u32::from(control)));
                }
                other => out.push(other),
            }
        }
    }
    out.push('"');
}

/// Appends `,"key":"value"`; the first member of an object is written by [`open`].
pub(super) fn member(out: &mut String, key: &str, value: &str) {
    out.push(',');
    push_string(out, key);
    out.push(':');
    push_string(out, value);
}

/// Appends `{"key":"value"`.
pub(super) fn open(out: &mut String, key: &str, value: &str) {
    out.push('{');
    push_string(out, key);
    out.push(':');
    push_string(out, value);
}

/// An error in the form of Leaf's framework: the keys of the one example that its docs ever showed.
pub(super) fn problem(status: u16, title: &str, detail: &str, path: &str) -> String {
    let mut out = String::with_capacity(220);
    open(
        &mut out,
        "type",
        "https://www.jhipster.tech/problem/problem-with-message",
    );
    member(&mut out, "title", title);
    out.push_str(&format!(",\"status\":{status}"));
    member(&mut out, "detail", detail);
    member(&mut out, "path", path);
    member(&mut out, "message", &format!("error.http.{status}"));
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_the_way_through_json() {
        for text in [
            "plain",
            "Jürgen \"Bo\" O'Neil\\",
            "a\nb\tc\u{1}\u{7f}\u{202e}",
            "",
        ] {
            let mut out = String::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
