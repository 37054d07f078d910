//! Reads `src` as text: its files, and what each names through the root of the crate.
//!
//! No parser of Rust: comments, texts and tests are blanked, and paths from the root looked for in what is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every source file, by its path below `src` with `/`.
pub(super) fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, prefix: &str, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                collect(&path, &format!("{name}/"), into);
            } else if name.ends_with(".rs") {
                into.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut files,
    );
    files.sort();
    files
}

/// What `ls src` shows: folders with a slash behind.
pub(super) fn top_level() -> BTreeSet<String> {
    let top = |(path, _): (String, String)| match path.split_once('/') {
        Some((folder, _)) => format!("{folder}/"),
        None => path,
    };
    sources().into_iter().map(top).collect()
}

/// Line and name of all that is named through the root of the crate: `crate::x`, `crate::{x::y, z}`, `leafwatch::x`
/// (as main.rs has to say), and as many `super::` as it takes to get there.
pub(super) fn uses(path: &str, text: &str) -> Vec<(usize, String)> {
    let code = without_tests(&without_comments_and_texts(text));
    let to_root = "super::".repeat(depth(path));
    let mut roots = vec!["crate::", "leafwatch::"];
    if !to_root.is_empty() {
        roots.push(&to_root);
    }
    let mut found = Vec::new();
    for root in roots {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            for (offset, name) in heads(&code[at + root.len()..]) {
                let line = code[..at + root.len() + offset].matches('\n').count() + 1;
                found.push((line, name));
            }
        }
    }
    found.sort();
    found
}

/// How many `super::` lead from the top of the file to the root: `leaf/mod.rs` 1, `leaf/wire.rs` 2, `clock.rs` 1.
fn depth(path: &str) -> usize {
    let parts: Vec<_> = path.split('/').collect();
    match parts.last() {
        Some(&"lib.rs" | &"main.rs") if parts.len() == 1 => 0,
        Some(&"mod.rs") => parts.len() - 1,
        _ => parts.len(),
    }
}

/// The first segment of a path, or of each path in a braced list, with where it stands.
fn heads(rest: &str) -> Vec<(usize, String)> {
    let word = |from: usize| -> String {
        rest[from..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    if !rest.starts_with('{') {
        return vec![(0, word(0))];
    }
    let mut found = Vec::new();
    let mut nesting = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => nesting += 1,
            '}' => nesting -= 1,
            _ => {}
        }
        if nesting == 0 {
            break;
        }
        if nesting == 1 && matches!(c, '{' | ',') {
            let blanks = rest[at + 1..].len() - rest[at + 1..].trim_start().len();
            found.push((at + 1 + blanks, word(at + 1 + blanks)));
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// The code with everything in comments, doc comments, string and character literals blanked; line breaks stay.
fn without_comments_and_texts(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| {
        what.chars()
            .eq(chars.iter().copied().skip(at).take(what.len()))
    };
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = if starts(at, "//") {
            (at..chars.len())
                .find(|&i| chars[i] == '\n')
                .unwrap_or(chars.len())
        } else if starts(at, "/*") {
            let close = (at + 2..chars.len()).find(|&i| starts(i, "*/"));
            close.map_or(chars.len(), |i| i + 2)
        } else if let Some(end) = raw_text_end(&chars, at) {
            end
        } else if chars[at] == '"' {
            text_end(&chars, at, '"')
        } else if chars[at] == '\''
            && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\''))
        {
            text_end(&chars, at, '\'')
        } else {
            code.push(chars[at]);
            at += 1;
            continue;
        };
        code.extend(
            chars[at..end]
                .iter()
                .map(|&c| if c == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    code
}

/// Past the end of a raw string that begins at `at`, if one does: `r"…"`, `r#"…"#`, `br##"…"##`.
fn raw_text_end(chars: &[char], at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let after_r = match chars.get(at..)? {
        ['r', ..] => at + 1,
        ['b' | 'c', 'r', ..] => at + 2,
        _ => return None,
    };
    let hashes = chars[after_r..].iter().take_while(|c| **c == '#').count();
    let open = after_r + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |i: usize| {
        chars[i] == '"'
            && chars[i + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    };
    let close = (open + 1..chars.len()).find(|&i| closes(i));
    Some(close.map_or(chars.len(), |i| i + 1 + hashes))
}

fn text_end(chars: &[char], open: usize, quote: char) -> usize {
    let mut at = open + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The code with every item under `#[cfg(test)]` blanked: tests may use the stand-in and what they like.
fn without_tests(code: &str) -> String {
    let mut left = code.to_owned();
    while let Some(start) = left.find("#[cfg(test)]") {
        let rest = &left[start..];
        let end = match (rest.find('{'), rest.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|at| open < at) => {
                let mut nesting = 0;
                let close = rest[open..].char_indices().find(|(_, c)| {
                    nesting += i32::from(*c == '{') - i32::from(*c == '}');
                    nesting == 0
                });
                close.map_or(rest.len(), |(at, _)| open + at + 1)
            }
            (_, Some(semicolon)) => semicolon + 1,
            _ => rest.len(),
        };
        let blank: String = rest[..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        left = format!("{}{blank}{}", &left[..start], &rest[end..]);
    }
    left
}

mod tests {
    use super::*;

    #[test]
    fn super_counts_where_it_reaches_the_root() {
        let text = "use super::super::store::Store;\nuse super::wire::Body;\n";
        assert_eq!(uses("leaf/client.rs", text), [(1, "store".to_owned())]);
        assert_eq!(
            uses("leaf/mod.rs", "use super::store::Store;"),
            [(1, "store".to_owned())]
        );
        assert_eq!(
            uses("clock.rs", "use super::store::Store;"),
            [(1, "store".to_owned())]
        );
        assert_eq!(
            uses("main.rs", "leafwatch::cli::run();"),
            [(1, "cli".to_owned())]
        );
    }

    #[test]
    fn comments_texts_and_tests_use_nothing() {
        let text = r##"
// crate::store
/* crate::store
*/ fn f<'a>(c: &'a str) -> bool { c == "crate::store \" crate::store" || c == r#"crate::"store"# }
const QUOTE: char = '"';
#[cfg(test)]
mod tests {
    use crate::sim::Leaf;
    fn g() { if true {} }
}
use my_crate::store;
use crate::web::Page;
"##;
        assert_eq!(uses("leaf/mod.rs", text), [(12, "web".to_owned())]);
    }
}
