//! A corpus of what providers and gateways send, and secrets planted in every form.

use proptest::prelude::*;

use super::*;

/// What a text must become.
const CORPUS: &[(&str, &str)] = &[
    // Okta's and Deere's answers on the token endpoint.
    (
        r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#,
        r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#,
    ),
    (
        r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorLink":"invalid_client","errorId":"oaeX1","errorCauses":[]}"#,
        r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorLink":"invalid_client","errorId":"oaeX1","errorCauses":[]}"#,
    ),
    (
        r#"{"token_type":"Bearer","expires_in":43200,"access_token":"eyJraWQiOiJ4In0.eyJzdWIiOiJ5In0.c2ln","refresh_token":"Zx9-k_3","scope":"ag1 offline_access","id_token":null}"#,
        r#"{"token_type":"Bearer","expires_in":43200,"access_token":"***","refresh_token":"***","scope":"ag1 offline_access","id_token":null}"#,
    ),
    // Deere's errors and headers.
    (
        r#"{"@type":"Errors","errors":[{"@type":"Error","guid":"3c9d2f1e-1111-4222-8333-444455556666","message":"Requested Org is in a restricted state."}]}"#,
        r#"{"@type":"Errors","errors":[{"@type":"Error","guid":"3c9d2f1e-1111-4222-8333-444455556666","message":"Requested Org is in a restricted state."}]}"#,
    ),
    (
        "X-Deere-Terms-Location: https://my.deere.com/terms?org=12345&access_token=abc123&lang=en\nX-Deere-Warning: New terms must be accepted\nRetry-After: 120\nSet-Cookie: a=b; c=d\n\nX-Deere-Elapsed-Ms: 5",
        "X-Deere-Terms-Location: https://my.deere.com/terms?org=12345&access_token=***&lang=en\nX-Deere-Warning: New terms must be accepted\nRetry-After: 120\nSet-Cookie: ***\n\nX-Deere-Elapsed-Ms: 5",
    ),
    ("Server Authorization Failed", "Server Authorization Failed"),
    (
        "https://connections.deere.com/connections/0oa1b2c3d4e5f6g7h8i9/select-organizations?redirect_uri=https://x.example.com",
        "https://connections.deere.com/connections/…h8i9/select-organizations?redirect_uri=https://x.example.com",
    ),
    // Java's map text.
    (
        "{Authorization=[Bearer abc.def], Content-Type=[application/json], Set-Cookie=[sid=1; Path=/, t=2; Secure], Date=[Sun, 01 Mar 2026 12:00:00 GMT], X-Deere-Warning=[Accept the terms]}",
        "{Authorization=***, Content-Type=[application/json], Set-Cookie=***, Date=[Sun, 01 Mar 2026 12:00:00 GMT], X-Deere-Warning=[Accept the terms]}",
    ),
    (
        "{Authorization=Bearer abc.def, Retry-After=5}",
        "{Authorization=***, Retry-After=5}",
    ),
    (
        "[Authorization: Basic dTpw, Accept: */*, Cookie: a=b; c=d]",
        "[Authorization: ***, Accept: */*, Cookie: ***]",
    ),
    // Challenges and prose about tokens.
    (
        r#"WWW-Authenticate: Bearer realm="deere", error="invalid_token", error_description="The token is expired""#,
        r#"WWW-Authenticate: Bearer realm="deere", error="invalid_token", error_description="The token is expired""#,
    ),
    (
        "Bearer token is missing. Basic authentication required",
        "Bearer token is missing. Basic authentication required",
    ),
    (
        "io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026-03-01T12:00:00Z",
        "io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026-03-01T12:00:00Z",
    ),
    // Spring, problem+json, Leaf's draft of a 429.
    (
        r#"{"timestamp":"2026-03-01T12:00:00.000+00:00","status":401,"error":"Unauthorized","message":"Full authentication is required to access this resource","path":"/services/x"}"#,
        r#"{"timestamp":"2026-03-01T12:00:00.000+00:00","status":401,"error":"Unauthorized","message":"Full authentication is required to access this resource","path":"/services/x"}"#,
    ),
    (
        r#"{"error":"Request limit exceeded","message":"slow down","status_code":429,"code":429}"#,
        r#"{"error":"Request limit exceeded","message":"slow down","status_code":429,"code":429}"#,
    ),
    // Forms, and what a client logs of its request.
    (
        "grant_type=refresh_token&refresh_token=abc%2Bdef&client_id=0oa1b2c3d4e5f6g7h8i9&client_secret=p%26q,r;s",
        "grant_type=refresh_token&refresh_token=***&client_id=…h8i9&client_secret=***",
    ),
    (
        "GET https://user:pa@ss@api.example.com/cb?code=4/0AbCdEfGh&state=abc HTTP/1.1",
        "GET https://***@api.example.com/cb?code=***&state=abc HTTP/1.1",
    ),
    // Pages of gateways.
    (
        "<html>\n<head><title>403 Forbidden</title></head>\n<body><center><h1>403 Forbidden</h1></center><hr><center>nginx</center></body></html>",
        "<html>\n<head><title>403 Forbidden</title></head>\n<body><center><h1>403 Forbidden</h1></center><hr><center>nginx</center></body></html>",
    ),
    (
        r#"<form><input type="hidden" name="client_secret" value="abc 'def"><input value="x y" name='password'><input name="lang" value="en"></form>"#,
        r#"<form><input type="hidden" name="client_secret" value="***"><input value="***" name='password'><input name="lang" value="en"></form>"#,
    ),
    (
        r#"<e:Fault xmlns:e="x"><e:accessToken type="a">abc def</e:accessToken><password><![CDATA[a<b]]></password><code>Client.Auth</code></e:Fault>"#,
        r#"<e:Fault xmlns:e="x"><e:accessToken type="a">***</e:accessToken><password><![CDATA[***]]></password><code>Client.Auth</code></e:Fault>"#,
    ),
    // JSON in JSON in JSON; HAR; arrays; numbers.
    (
        r#"{"body":"{\"inner\":\"{\\\"password\\\":\\\"a\\\\\\\"b\\\",\\\"error\\\":\\\"x\\\"}\"}"}"#,
        r#"{"body":"{\"inner\":\"{\\\"password\\\":\\\"***\\\",\\\"error\\\":\\\"x\\\"}\"}"}"#,
    ),
    (
        r#"{"headers":[{"name":"Authorization","value":"abc"},{"name":"Accept","value":"b"}],"tokens":["a",{"b":1}],"pin":12345678,"password":12345678,"secret":true}"#,
        r#"{"headers":[{"name":"Authorization","value":"***"},{"name":"Accept","value":"b"}],"tokens":"***","pin":12345678,"password":"***","secret":true}"#,
    ),
    (
        r#"{"tokenMetadata":{"scopes":["ag1"],"token":"x"},"clientKey":"short","clientId":"0oa1b2c3d4e5f6g7h8i9"}"#,
        r#"{"tokenMetadata":{"scopes":["ag1"],"token":"***"},"clientKey":"***","clientId":"…h8i9"}"#,
    ),
    // Cut off in the middle.
    (
        r#"{"error":"invalid_grant","headers":{"Authorization":["Bearer abc"],"X":["y"]},"access_token":"eyJ"#,
        r#"{"error":"invalid_grant","headers":{"Authorization":***,"X":["y"]},"access_token":"***"#,
    ),
    (
        r#"{"error":"x","access_token\u0022:1,"refresh\u005ftoken":"a\u003db","q":"client_secret\u003dabc"#,
        r#"{"error":"x","access_token\u0022:1,"refresh_token":"***","q":"client_secret=***"#,
    ),
    // Other people's dumps.
    (
        "{'access_token': 'a\"b', 'error': 'no'}",
        "{'access_token': '***', 'error': 'no'}",
    ),
    (
        "[access_token] => abc\n[error] => no",
        "[access_token] => ***\n[error] => no",
    ),
    (
        "password: correct horse battery\nuser: anna",
        "password: ***\nuser: anna",
    ),
    (
        "&quot;api_key&quot;:&quot;abc&quot;,&quot;a&quot;:1 %22token%22%3A%22abc%22",
        "&quot;api_key&quot;:&quot;***&quot;,&quot;a&quot;:1 %22token%22%3A%22***%22",
    ),
    (
        "key:\n-----BEGIN RSA PRIVATE KEY-----\nMIIabc\ndef==\n-----END RSA PRIVATE KEY-----\nerror: bad",
        "key:\n***\nerror: bad",
    ),
    (
        "--b\nContent-Disposition: form-data; name=\"client_secret\"\n\nabc def\n--b",
        "--b\nContent-Disposition: form-data; name=\"client_secret\"\n\n***\n--b",
    ),
    // People.
    (
        "Contact anna.smith+x@example.com or mailto:bob%40example.org",
        "Contact ***@example.com or mailto:***%40example.org",
    ),
    // Control and bidi characters.
    ("pass\u{200b}word=a\u{7}\u{202e}b\r\nok", "password=***\nok"),
    ("", ""),
];

#[test]
fn the_corpus_keeps_what_diagnosis_needs_and_nothing_else() {
    for (text, expected) in CORPUS {
        assert_eq!(&body(text), expected, "from {text}");
        assert_eq!(&headers(text), expected, "from {text}");
    }
}

#[test]
fn long_texts_are_cut_without_letting_half_a_secret_through() {
    let long = body(&"word ".repeat(10_000));
    assert!(long.len() <= LONGEST_BODY && long.ends_with('…'));
    assert!(headers(&"ü ".repeat(10_000)).len() <= LONGEST_HEADERS);
    // A secret that lies across every cut there is.
    let secret = "aB3dE5gH".repeat(20_000);
    for text in [
        format!(r#"{{"a":"b","access_token":"{secret}"}}"#),
        format!("token={secret}"),
        format!("x {secret}"),
        secret,
    ] {
        assert!(!body(&text).contains("aB3dE5gH"));
    }
}

/// A text that holds `secret` under `key`, in one of many forms. Each form gets only such secrets as it can carry.
fn planted(form: usize, key: &str, secret: &str, word: &str) -> String {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let object = format!(r#"{{"error":"{word}",{}:{}}}"#, json(key), json(secret));
    match form {
        0 => object,
        1 => format!(r#"{{"status":401,"body":{}}}"#, json(&object)),
        2 => format!(
            r#"[{{"a":{}}}]"#,
            json(&format!(r#"{{"b":{}}}"#, json(&object)))
        ),
        3 => object[..object.len() - 2].to_owned(),
        4 => format!(r#"{{"body":{},"cut":"#, json(&object)),
        5 => format!(r#"{{"x":{{"{key}":[{},"y"]}}}}"#, json(secret)),
        6 => format!(r#"{{"name":"{key}","value":{}}}"#, json(secret)),
        7 => format!("upstream said {word}: {object}"),
        8 => format!("a={word}&{key}={secret}&z=1"),
        9 => format!("https://api.example.com/{word}?{key}={secret}#top"),
        10 => format!("{key}={secret}"),
        11 => format!("{{a={word}, {key}={secret}, z=1}}"),
        12 => format!("{{a=[{word}], {key}=[{secret}], z=[1]}}"),
        13 => format!("X-A: {word}\r\n{key}: {secret}\r\nX-Z: 1"),
        14 => format!("<a><{key}>{secret}</{key}></a>"),
        15 => format!(r#"<a {key}="{secret}" b="{word}"/>"#),
        16 => format!(r#"<input type="hidden" name="{key}" value="{secret}">"#),
        17 => format!("{word} {{'{key}': '{secret}'}}"),
        18 => format!("{word} {key}: {secret} {word}"),
        19 => json(&format!("{{a={word}, {key}=[{secret}]}}")),
        20 => format!(
            r#"{{"headers":{},"cut":"#,
            json(&format!("{{{key}=[{secret}], z=[1]}}"))
        ),
        21 => format!(
            r#"{{"headers":{},"cut":"#,
            json(&format!("a: b\r\n{key}: {secret}\r\nz: 1"))
        ),
        22 => format!("Authorization: Bearer {secret}"),
        23 => format!("{word} Bearer {secret}, {word}"),
        24 => format!("curl -H 'Authorization: Basic {secret}' -d '{key}={secret}'"),
        25 => format!("https://{word}:{secret}@api.example.com/x"),
        26 => format!("Cookie: {word}={secret}; b={secret}"),
        _ => format!("{{Set-Cookie=[{word}={secret}; Path=/, b={secret}], z=1}}"),
    }
}

const FORMS: usize = 28;

/// Forms in which the secret may hold any character at all.
const ANY_SECRET: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn gone(text: &str, secret: &str) -> Result<(), TestCaseError> {
    let redacted = body(text);
    let chars: Vec<char> = secret.chars().collect();
    for window in chars.windows(8) {
        let piece: String = window.iter().collect();
        let shown = serde_json::to_string(&piece).unwrap_or_default();
        let shown = shown.trim_matches('"');
        prop_assert!(
            !redacted.contains(&piece) && !redacted.contains(shown),
            "{:?} of {:?} is still in {:?}, from {:?}",
            piece,
            secret,
            redacted,
            text
        );
    }
    Ok(())
}

prop_compose! {
    fn key()(
        name in prop::sample::select(vec![
            "access_token", "accessToken", "refresh_token", "refreshToken", "id_token", "clientSecret", "client_secret",
            "client-secret", "apiKey", "X-Api-Key", "api_key", "password", "Password", "subscriptionKey",
            "Ocp-Apim-Subscription-Key", "privateKey", "sessionId", "JSESSIONID", "assertion", "client_assertion",
            "authToken", "accessKey", "sharedSecret", "code_verifier", "tokenSecretKey",
        ]),
    ) -> String { name.to_owned() }
}

/// What no other part of a text has: so a piece of it that is found was left.
fn unlike_the_rest(secret: &str) -> bool {
    secret.chars().count() >= 8 && secret.trim() == secret && !"***".contains(secret)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_token_is_gone_in_every_form(
        form in 0..FORMS, key in key(), secret in "[A-Za-z0-9_~+/-]{7,60}[0-9][A-Za-z0-9]", word in "[a-zü]{1,12}",
    ) {
        // A slash cannot stand in a URL's password.
        let secret = if form == 25 { secret.replace('/', "_") } else { secret };
        gone(&planted(form, &key, &secret, &word), &secret)?;
    }

    #[test]
    fn any_text_at_all_is_gone_where_the_form_can_carry_it(
        form in prop::sample::select(&ANY_SECRET[..]), key in key(), secret in "\\PC{8,40}", word in "[a-zü😀]{1,12}",
    ) {
        prop_assume!(unlike_the_rest(&secret));
        let secret: String = secret.chars().filter(|c| !clean_block(&c.to_string()).is_empty()).collect();
        gone(&planted(form, &key, &secret, &word), &secret)?;
    }

    #[test]
    fn a_passphrase_with_blanks_is_gone_where_a_line_or_quotes_hold_it(
        form in prop::sample::select(vec![0usize, 1, 3, 6, 12, 13, 14, 15, 16, 17, 20]),
        key in key(), secret in "[A-Za-z0-9]{6,9}( [A-Za-z0-9!?.]{1,9}){1,5}", word in "[a-z]{1,12}",
    ) {
        gone(&planted(form, &key, &secret, &word), &secret)?;
    }

    #[test]
    fn a_random_string_is_gone_without_any_name(
        bytes in prop::collection::vec(any::<u8>(), 36..64), form in 0..5usize, word in "[a-z ]{0,20}",
    ) {
        use base64::Engine as _;
        use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
        let secret = match form {
            0 => BASE64_URL_SAFE_NO_PAD.encode(&bytes),
            1 => BASE64_STANDARD.encode(&bytes).replace('/', "a"),
            2 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            3 => format!("eyJhbGciOiJIUzUxMiJ9.eyJ{}.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes), "c2ln"),
            _ => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        };
        for text in [format!("{word} {secret} {word}"), format!("{{\"note\":\"{word} {secret}\"}}"), format!("x={secret}")] {
            gone(&text, &secret)?;
        }
    }

    #[test]
    fn redaction_never_panics_and_is_idempotent(
        text in "(\\PC|[\\\\\"'{}\\[\\]=:;,&<>%\\n\\t ]|token|password|Bearer |clientKey|code|value|name|\\*\\*\\*|…){0,60}",
    ) {
        let once = body(&text);
        prop_assert_eq!(&body(&once), &once);
        let once = headers(&text);
        prop_assert_eq!(&headers(&once), &once);
    }

    #[test]
    fn redaction_of_planted_texts_is_idempotent(
        form in 0..FORMS, key in key(), secret in "\\PC{0,30}", word in "\\PC{0,12}",
    ) {
        let text = planted(form, &key, &secret, &word);
        let once = body(&text);
        prop_assert_eq!(&body(&once), &once);
    }
}
