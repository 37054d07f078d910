use super::*;

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

fn read(body: &str) -> Vec<Event> {
    parse(body.as_bytes(), &key()).unwrap()
}

#[test]
fn the_documented_shape_is_read_and_only_evidence_kept() {
    let events = read(
        r#"[{"id":"e1","statusCode":400,"createdDate":"2026-03-01T12:00:00.123456Z",
            "body":"{\"error\":\"invalid_grant\",\"refresh_token\":\"s3cret-one\"}",
            "headers":"{Set-Cookie=[sid=s3cret-two], Retry-After=[5]}"}]"#,
    );
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.identity, b"e1");
    assert_eq!(event.status_code, Some(400));
    assert_eq!(event.at.unwrap().to_string(), "2026-03-01T12:00:00.123456Z");
    assert_eq!(
        event.body,
        r#"{"error":"invalid_grant","refresh_token":"…"}"#
    );
    assert_eq!(event.headers, "Retry-After: 5");
    assert!(!format!("{event:?}").contains("s3cret"));
}

#[test]
fn odd_fields_cost_only_themselves_and_odd_entries_only_themselves() {
    let events = read(
        r#"[null, 5, "x", [], {"id":7,"statusCode":"401 UNAUTHORIZED","createdDate":1772366400000,
            "body":{"error":"invalid_client","client_secret":"s3cret"},"headers":null},
            {"statusCode":null,"createdDate":"yesterday"},{"statusCode":99999,"createdDate":{}},{"statusCode":403.0}]"#,
    );
    let codes: Vec<_> = events.iter().map(|event| event.status_code).collect();
    assert_eq!(codes, [Some(401), None, None, Some(403)]);
    assert_eq!(events[0].identity, b"7");
    assert_eq!(events[0].at.unwrap().to_string(), "2026-03-01T12:00:00Z");
    assert_eq!(
        events[0].body,
        r#"{"client_secret":"…","error":"invalid_client"}"#
    );
    assert_eq!(events[1].at, None);
}

#[test]
fn every_way_to_say_that_there_are_none() {
    for body in [
        "",
        " ",
        "[]",
        "null",
        "{}",
        r#"{"content":[],"last":true}"#,
        r#"{"content":null}"#,
    ] {
        assert!(read(body).is_empty(), "{body}");
    }
    assert_eq!(read(r#"{"content":[{"id":"a"}],"totalPages":1}"#).len(), 1);
}

#[test]
fn what_is_no_list_is_not_understood() {
    for body in [
        "<html>",
        "[",
        "5",
        "\"x\"",
        r#"{"error":"x"}"#,
        r#"{"content":{"content":[]}}"#,
        "[] x",
    ] {
        assert!(
            matches!(
                parse(body.as_bytes(), &key()),
                Err(Fault::NoAnswer(NoAnswer::Broken, _))
            ),
            "{body}"
        );
    }
}

#[test]
fn without_an_id_the_content_tells_events_apart() {
    let events = read(
        r#"[{"statusCode":400,"body":"a","createdDate":"2026-03-01T12:00:00Z"},
            {"statusCode":400,"body":"a","createdDate":"2026-03-01T12:00:00.000001Z"},
            {"statusCode":401,"body":"a","createdDate":"2026-03-01T12:00:00Z"},
            {"statusCode":400,"body":"","headers":"a","createdDate":"2026-03-01T12:00:00Z"},
            {"id":null,"statusCode":400,"headers":"a","createdDate":"2026-03-01T12:00:00Z"},
            {"id":"","statusCode":400,"body":"token=s3cret-one","createdDate":"2026-03-01T12:00:00Z"},
            {"id":" ","statusCode":400,"body":"token=s3cret-two","createdDate":"2026-03-01T12:00:00Z"}]"#,
    );
    let identities: HashSet<_> = events.iter().map(|event| &event.identity).collect();
    assert_eq!(identities.len(), 6);
    assert_eq!(events[3].identity, events[4].identity);
    assert!(
        identities
            .iter()
            .all(|identity| identity.len() == evidence::DIGEST)
    );
    assert_eq!(
        events[5].body, events[6].body,
        "what is kept of them is the same"
    );
}

#[test]
fn what_does_not_look_like_an_id_is_digested() {
    let id = |id: &str| read(&format!(r#"[{{"id":"{id}"}}]"#))[0].identity.clone();
    for odd in [
        "x".repeat(65).as_str(),
        "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhIn0.c2ln",
        "a b",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    ] {
        assert_eq!(id(odd).len(), evidence::DIGEST, "{odd}");
    }
    let uuid = "3c9d2f1e-1111-4222-8333-444455556666";
    assert_eq!(id(uuid), uuid.as_bytes());
}

#[test]
fn the_next_page_is_found_in_every_kind_of_link() {
    for (link, expected) in [
        (
            r#"<https://api.withleaf.io/x/events?page=1&size=100>; rel="next", <https://h/x?page=9>; rel="last""#,
            Some("page=1&size=100"),
        ),
        (
            r#"<https://h/x?page=0>; rel="first",<x/events?page=2&size=20>; title="a"; rel="next last""#,
            Some("page=2&size=20"),
        ),
        ("</events?cursor=abc#top>; REL=Next", Some("cursor=abc")),
        (r#"<https://h/x?page=9>; rel="last""#, None),
        (r#"<https://h/x>; rel="next""#, None),
        ("<https://h/x?page=1; rel=next", None),
        ("<a?b\u{e9}>; rel=next", None),
        ("", None),
    ] {
        assert_eq!(query_of_next(link).as_deref(), expected, "{link}");
    }
}
