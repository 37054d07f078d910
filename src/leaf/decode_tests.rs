use proptest::prelude::*;

use super::*;

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

fn read(body: &str) -> Result<Answer, NotUnderstood> {
    credential(body.as_bytes(), &key())
}

fn reading(body: &str) -> Reading {
    match read(body) {
        Ok(Answer::Reading(reading)) => reading,
        other => panic!("{body}: {other:?}"),
    }
}

const JOHN_DEERE: &str = r#"{"id":"5f3c","status":"OK","createdTime":"2023-03-09T12:00:00.123456Z",
    "tokenMetadata":{"scopes":["org2","ag1","ag1"]},"clientKey":"0oa1b2c3d4e5f6g7h8i9","clientSecret":"s3cret-one",
    "accessToken":"s3cret-two","refreshToken":"s3cret-three","clientEnvironment":"PRODUCTION"}"#;

#[test]
fn the_documented_answer_is_read_without_its_secrets() {
    let read = reading(JOHN_DEERE);
    assert_eq!(read.status.as_deref(), Some("OK"));
    assert_eq!(read.environment.as_deref(), Some("PRODUCTION"));
    assert_eq!(read.scopes, ["ag1", "org2"]);
    assert_eq!(read.leaf_id.as_deref(), Some("5f3c"));
    assert_eq!(
        read.leaf_created.as_deref(),
        Some("2023-03-09T12:00:00.123456Z")
    );
    assert_eq!(read.key.as_ref().map(|key| key.tail.as_str()), Some("h8i9"));
    let shown = format!("{read:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("0oa1b2"));
}

#[test]
fn equal_keys_have_equal_prints_whatever_the_field_is_called() {
    let print = |body| reading(body).key.unwrap().print;
    let one = print(r#"{"status":"OK","clientKey":"0oa1b2c3d4e5f6g7h8i9"}"#);
    assert_eq!(
        one,
        print(r#"{"status":"OK","clientId":" 0oa1b2c3d4e5f6g7h8i9 "}"#)
    );
    assert_ne!(
        one,
        print(r#"{"status":"OK","clientId":"0oa1b2c3d4e5f6g7h8i8"}"#)
    );
    // Whatever their order, the best-named one counts.
    let both = r#"{"status":"OK","publicKey":"other","clientKey":"0oa1b2c3d4e5f6g7h8i9","clientId":"third"}"#;
    assert_eq!(one, print(both));
    let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
    assert_ne!(
        one,
        fingerprint("0oa1b2c3d4e5f6g7h8i9", &other).unwrap().print
    );
}

#[test]
fn a_short_key_shows_nothing_of_itself() {
    let tail = |key: &str| fingerprint(key, &self::key()).map(|print| print.tail);
    assert_eq!(tail("elevenchars").as_deref(), Some(""));
    assert_eq!(tail("twelve-chars").as_deref(), Some("hars"));
    assert_eq!(tail("twelve-cha\u{202e}rs").as_deref(), Some("ars"));
    assert_eq!(tail("  "), None);
}

#[test]
fn nothing_null_and_empty_mean_that_there_is_no_credential() {
    for body in ["", "  \n", "null", "{}", "[]", " { } "] {
        assert_eq!(read(body), Ok(Answer::Missing), "{body:?}");
    }
}

#[test]
fn a_wrong_type_costs_its_own_field_only() {
    let read = reading(
        r#"{"id":5,"status":{"word":"OK"},"createdTime":[2023,3,9],"clientEnvironment":true,
            "tokenMetadata":"x","scopes":"ag1 ag2,ag3","clientKey":{"a":"b"},"clientId":null,"other":[[[{"x":1}]]]}"#,
    );
    assert_eq!(read.leaf_id.as_deref(), Some("5"));
    assert_eq!(read.status, None);
    assert_eq!(read.leaf_created, None);
    assert_eq!(read.environment.as_deref(), Some("true"));
    assert_eq!(read.scopes, ["ag1", "ag2", "ag3"]);
    assert_eq!(read.key, None);

    let read = reading(r#"{"id":"x","status":7,"tokenMetadata":{"scopes":null}}"#);
    assert_eq!(read.status.as_deref(), Some("7"));
    assert!(read.scopes.is_empty());
    let read = reading(r#"{"status":null,"tokenMetadata":{"scopes":[1,null,{"a":2},"b"]}}"#);
    assert_eq!(read.status, None);
    assert_eq!(read.scopes, ["1", "b"]);
}

#[test]
fn words_keep_their_spelling_and_lose_what_is_harmful() {
    let read = reading(
        "{\"status\":\" ok \\u202e\\u0007\",\"clientEnvironment\":\"\",\"id\":\"\\u200b\"}",
    );
    assert_eq!(read.status.as_deref(), Some(" ok "));
    assert_eq!(read.environment, None);
    assert_eq!(read.leaf_id, None);
    let long = format!(r#"{{"status":"{}"}}"#, "so it goes ".repeat(500));
    assert_eq!(reading(&long).status.unwrap().len(), 120);
}

#[test]
fn a_list_of_one_is_read_and_of_two_is_not() {
    assert_eq!(reading(&format!("[{JOHN_DEERE}]")), reading(JOHN_DEERE));
    for body in [
        &format!("[{JOHN_DEERE},{JOHN_DEERE}]"),
        "[1]",
        "[null]",
        "[{}]",
    ] {
        assert_eq!(read(body), Err(NotUnderstood::NotACredential), "{body}");
    }
}

#[test]
fn what_is_no_credential_is_not_understood() {
    for body in ["<html>", "{", "{}}", "{\"a\":1} x", "nul", "\u{feff}{}"] {
        assert_eq!(read(body), Err(NotUnderstood::NotJson), "{body}");
    }
    for body in ["5", "\"OK\"", "true", "-1", "1.5", r#"{"name":"x"}"#] {
        assert_eq!(read(body), Err(NotUnderstood::NotACredential), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep), Err(NotUnderstood::NotJson));
    assert_eq!(
        credential(&[0xff, 0xfe], &key()),
        Err(NotUnderstood::NotJson)
    );
}

#[test]
fn a_report_of_an_error_says_nothing_of_a_credential() {
    for report in [
        r#"{"type":"https://www.jhipster.tech/problem/problem-with-message","title":"Unauthorized","status":401,
            "detail":"Not Authenticated","message":"error.http.401"}"#,
        r#"{"error":"Request limit exceeded","status_code":429}"#,
        r#"{"status":"UNAUTHORIZED","message":"Full authentication is required"}"#,
        r#"{"timestamp":"2026-03-01T12:00:00Z","status":"UNAUTHENTICATED","path":"/services/x"}"#,
        r#"{"status":"INVALID","title":"x"}"#,
        r#"{"status":"OK","errors":[]}"#,
        r#"{"status":"EXPIRED","error":"x","id":null,"accessToken":null,"clientKey":null}"#,
        r#"[{"status":"UNAUTHORIZED","message":"x"}]"#,
        r#"{"status":401}"#,
        r#"{"id":"req-7f","status":"UNAUTHORIZED","message":"x","path":"/y","timestamp":"2026-03-01T12:00:00Z"}"#,
        r#"{"id":"req-7f","clientId":"abc","status":"EXPIRED","title":"x"}"#,
        r#"{"clientKey":"abc","scopes":["ag1"],"status":"INVALID","error":"x"}"#,
    ] {
        assert_eq!(read(report), Err(NotUnderstood::ErrorReport), "{report}");
    }
    for credential in [
        r#"{"status":"UNAUTHENTICATED"}"#,
        r#"{"status":"UNAUTHENTICATED","provider":"x"}"#,
        r#"{"status":"UNAUTHENTICATED","message":"revoked","id":"5f3c","createdTime":"2026-03-01T12:00:00Z"}"#,
        r#"{"status":"UNAUTHENTICATED","error":"x","refreshToken":"s3cret"}"#,
        r#"{"status":"UNAUTHENTICATED","type":"x","clientEnvironment":"STAGE"}"#,
        r#"{"status":"UNAUTHENTICATED","path":"x","tokenMetadata":{}}"#,
        r#"{"status":"UNAUTHENTICATED","type":"x","id":"5f3c","clientId":"abc"}"#,
    ] {
        let status = reading(credential).status;
        assert_eq!(status.as_deref(), Some("UNAUTHENTICATED"), "{credential}");
    }
}

#[test]
fn a_token_where_a_word_belongs_is_not_kept() {
    let token = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl";
    let read = reading(&format!(
        r#"{{"id":"{token}","status":"{token}","clientEnvironment":"STAGE {token}","createdTime":"{token}",
            "tokenMetadata":{{"scopes":["ag1","{token}","https://example.com/auth/fields"]}}}}"#
    ));
    assert!(!format!("{read:?}").contains("eyJ"), "{read:?}");
    assert_eq!(read.status.as_deref(), Some("…"));
    assert_eq!(read.scopes.len(), 3);
    assert_eq!(read.scopes[0], "ag1");
    // Such an id still tells one credential from another.
    let id = |id: &str| {
        reading(&format!(r#"{{"id":"{id}","status":"OK"}}"#))
            .leaf_id
            .unwrap()
    };
    assert_eq!(read.leaf_id.unwrap(), id(token));
    assert_ne!(id(token), id(&format!("{token}x")));
    for plain in [
        "5f3c",
        "7",
        "3c9d2f1e-1111-4222-8333-444455556666",
        "credential-17",
        "507f1f77bcf86cd799439011",
    ] {
        assert_eq!(id(plain), plain);
    }
}

proptest! {
    #[test]
    fn no_body_is_too_odd(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = credential(&body, &key());
    }

    /// Secrets in any of the documented fields, and in any other, leave no trace.
    #[test]
    fn no_secret_field_leaves_a_trace(
        field in "clientSecret|apiKey|accessToken|refreshToken|subscriptionKey|privateKey|password|[a-z]{3,9}X",
        secret in "[A-Za-z0-9]{16,40}",
    ) {
        let body = format!(r#"{{"status":"OK","{field}":"{secret}","{field}2":{{"{field}":["{secret}"]}}}}"#);
        let shown = format!("{:?}", read(&body));
        prop_assert!(!shown.contains(&secret[..8]), "{}", shown);
    }
}
