//! Secrets of every shape in every place, and texts that explain; both made here.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.roll(256) as u8)
    }

    fn of(&mut self, letters: &str, length: usize) -> String {
        let letters = letters.as_bytes();
        (0..length)
            .map(|_| char::from(letters[self.roll(letters.len())]))
            .collect()
    }
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const ALL: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEX: &str = "0123456789abcdef";

const SHAPES: usize = 16;

/// A secret, by its shape.
fn secret(shape: usize, dice: &mut Dice) -> String {
    match shape {
        0 => format!("{}{}", dice.of(LOWER, 4), dice.of("0123456789", 2)),
        1 => {
            let hex = dice.of(HEX, 32);
            format!(
                "{}-{}-4{}-8{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[13..16],
                &hex[17..20],
                &hex[20..]
            )
        }
        2 => format!(
            "{}@{}!{}#{}",
            dice.of(ALL, 4),
            dice.of(LOWER, 3),
            dice.of("0123456789", 3),
            dice.of(ALL, 3)
        ),
        3 => format!(
            "{}&{}=;{}%",
            dice.of(ALL, 5),
            dice.of(ALL, 4),
            dice.of(ALL, 3)
        ),
        4 => format!(
            "{},{}/{}?{}",
            dice.of(ALL, 4),
            dice.of(ALL, 4),
            dice.of(LOWER, 4),
            dice.of(ALL, 3)
        ),
        5 => format!(
            "{} {} {}",
            dice.of(LOWER, 7),
            dice.of(LOWER, 6),
            dice.of(LOWER, 8)
        ),
        6 => format!(
            "{}'{}\"{}",
            dice.of(ALL, 5),
            dice.of(ALL, 5),
            dice.of(ALL, 4)
        ),
        7 => dice.of(HEX, 40),
        8 => dice.of("0123456789ABCDEF", 16),
        9 => BASE64_STANDARD.encode(dice.bytes::<24>()),
        10 => BASE64_URL_SAFE_NO_PAD.encode(dice.bytes::<32>()),
        11 => {
            let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
            let claims = format!(r#"{{"sub":"{}","exp":1772366400}}"#, dice.of(LOWER, 12));
            format!(
                "{}.{}.{}",
                part(r#"{"alg":"RS256"}"#),
                part(&claims),
                part(&dice.of(ALL, 30))
            )
        }
        12 => format!("sk_live_{}", dice.of(ALL, 24)),
        13 => format!("ghp_{}", dice.of(ALL, 36)),
        14 => format!("0oa{}", dice.of("abcdefghij0123456789", 17)),
        _ => dice.of(ALL, 12),
    }
}

const NAMES: &[&str] = &[
    "access_token",
    "accessToken",
    "refresh_token",
    "refreshToken",
    "id_token",
    "token",
    "clientSecret",
    "client_secret",
    "client-secret",
    "apiKey",
    "X-Api-Key",
    "api_key",
    "APIKEY",
    "password",
    "Password",
    "passwd",
    "pwd",
    "passphrase",
    "subscriptionKey",
    "Ocp-Apim-Subscription-Key",
    "privateKey",
    "sessionId",
    "JSESSIONID",
    "PHPSESSID",
    "assertion",
    "client_assertion",
    "authToken",
    "X-Auth-Token",
    "accessKey",
    "sharedSecret",
    "code_verifier",
    "tokenSecretKey",
    "ticket",
    "signature",
    "otp",
    "pin",
    "X-CSRF-Token",
    "credential",
    "user_code",
    "Session-Token",
];

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let code = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(code).collect()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

const FORMS: usize = 56;

/// A body with `secret` under `name` in one of many forms; none where the form cannot carry such a secret.
fn planted(form: usize, name: &str, secret: &str) -> Option<String> {
    let object = format!(
        r#"{{"error":"invalid_grant",{}:{}}}"#,
        json(name),
        json(secret)
    );
    let quote = secret.contains(['"', '\'']);
    let blank = secret.contains(' ');
    let delimited = secret.contains(['&', ';', ',', '=', '%', '?', '#']);
    let is_code = name == "user_code" || name == "pin" || name == "otp";
    let word = !blank && !quote && !delimited;
    Some(match form {
        0 => object,
        1 => format!(r#"{{"status":401,"body":{}}}"#, json(&object)),
        2 => format!(
            r#"[{{"a":{}}}]"#,
            json(&format!(r#"{{"b":{}}}"#, json(&object)))
        ),
        3 => json(&object),
        4 => object[..object.len() - 2].to_owned(),
        5 => object[..object.len() - 1].to_owned(),
        6 => format!(r#"{{"body":{},"cut":"#, json(&object)),
        7 => format!(r#"{{"x":{{"{name}":[{},"y"]}}}}"#, json(secret)),
        8 => format!(
            r#"{{"{name}":{{"value":{},"message":{}}}}}"#,
            json(secret),
            json(secret)
        ),
        9 => format!(r#"[{{"name":"{name}","value":{}}}]"#, json(secret)),
        10 => format!(r#"[{{"value":{},"name":"{name}"}},"#, json(secret)),
        11 => format!(r#"[["{name}",{}],["Accept","b"]]"#, json(secret)),
        12 => format!(r#"["{name}: {}"]"#, json(secret).trim_matches('"')),
        13 => format!("upstream said 401: {object}"),
        14 => format!("401 Unauthorized: [{object}] from POST"),
        15 => format!(r#"{{"message":{}}}"#, json(&object)),
        16 => format!(
            r#"{{"message":{}}}"#,
            json(&format!("{name}={}", percent(secret)))
        ),
        17 => format!(r#"{{"detail":{}}}"#, json(&format!("{name}: {secret}"))),
        18 => format!(
            r#"{{"errors":[{{"reason":{}}}]}}"#,
            json(&format!("rejected '{name}': [{secret}]"))
        ),
        19 => format!(r#"{{"data":{{"user":"anna","note":{}}}}}"#, json(secret)),
        20 => format!("grant_type=refresh_token&{name}={}&z=1", percent(secret)),
        21 => format!(
            "GET https://api.example.com/cb?{name}={}#top HTTP/1.1",
            percent(secret)
        ),
        22 => format!("{name}={secret}"),
        23 => format!("{{a=b, {name}={secret}, z=1}}"),
        24 => format!("{{a=[b], {name}=[{secret}], z=[1]}}"),
        25 => format!("X-A: b\r\n{name}: {secret}\r\nX-Z: 1"),
        26 => format!("X-A: b\n{}:{secret}", name.to_uppercase()),
        27 => format!("<a><{name}>{}</{name}></a>", xml(secret)),
        28 => format!(r#"<e:x><e:{name} type="a">{}</e:{name}>"#, xml(secret)),
        29 => format!("<{name}><![CDATA[{secret}]]></{name}>"),
        30 => format!(r#"<a {name}="{}" b="c"/>"#, xml(secret)),
        31 => format!(
            r#"<input type="hidden" name="{name}" value="{}">"#,
            xml(secret)
        ),
        32 => format!(
            r#"<form><input value="{}" name='{name}'><p>x</p>"#,
            xml(secret)
        ),
        33 => format!(
            "<table><tr><td>{name}</td><td>{}</td></tr><tr><td>a</td>",
            xml(secret)
        ),
        34 => format!(
            "<tr><th>{name}:</th>\n  <td><code>{}</code></td></tr>",
            xml(secret)
        ),
        35 => format!("<dl><dt>{name}</dt><dd>{}</dd></dl>", xml(secret)),
        36 => format!("<name>{name}</name><value>{}</value>", xml(secret)),
        37 => format!(r#"<meta content="{}" name="{name}">"#, xml(secret)),
        38 if !secret.contains('\'') => format!("no {{'{name}': '{secret}'}}"),
        39 => format!("[{name}] => {secret}\n[error] => no"),
        40 => format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{secret}\r\n--b--"
        ),
        41 => format!(
            "--b\nContent-Disposition: form-data; name=\"x\"\nContent-Type: text/plain\n\n{secret}\n--b"
        ),
        42 if word => format!("curl -X POST -d {name}={secret} https://h.example.com"),
        43 if !secret.contains('\'') => format!("curl -H '{name}: {secret}' -d 'a=b'"),
        44 if !secret.contains('\'') => format!("curl -u 'anna:{secret}' https://h.example.com"),
        45 if word && !secret.contains('/') => {
            format!("GET https://anna:{secret}@api.example.com/x")
        }
        46 => format!("Authorization: Bearer {secret}"),
        47 => format!(
            "Authorization: Basic {}",
            BASE64_STANDARD.encode(format!("anna:{secret}"))
        ),
        48 => format!("Cookie: a={secret}; b={secret}\nX: y"),
        49 => format!("{{Set-Cookie=[sid={secret}; Path=/, b={secret}], z=1}}"),
        50 => percent(&object),
        51 => object.replace('"', "&quot;"),
        52 => object.replace('"', "\\\""),
        53 => object.replace('"', "\\u0022"),
        54 if word && !is_code => format!("The {name} '{secret}' was refused"),
        55 => format!("| {name} | {} |", secret.replace('|', "")),
        _ => return None,
    })
}

/// Headers with `secret` in them.
fn planted_in_headers(form: usize, name: &str, secret: &str) -> String {
    let line = format!(
        "Authorization: Bearer {secret}\r\n{name}: {secret}\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT"
    );
    match form {
        0 => line,
        1 => format!(
            r#"{{"{name}":{},"Set-Cookie":["sid={}"],"Retry-After":"5"}}"#,
            json(secret),
            json(secret).trim_matches('"')
        ),
        2 => format!(
            "{{Authorization=[Basic {secret}], {name}=[{secret}], Content-Type=[text/html]}}"
        ),
        3 => json(&line),
        4 => format!("[{name}: {secret}, Server: nginx]"),
        5 => format!(
            r#"[{{"name":"{name}","value":{}}},{{"name":"Server","value":"nginx"}}]"#,
            json(secret)
        ),
        6 => percent(&line),
        7 => format!("X-Deere-Warning: {name}={secret}\nX-Odd: {secret}"),
        8 => format!(
            "X-Deere-Terms-Location: https://my.deere.com/terms?org=1&{name}={}&lang=en",
            percent(secret)
        ),
        9 => format!(
            r#"WWW-Authenticate: Bearer realm="{}", error="invalid_token", {name}="{}""#,
            secret.replace('"', ""),
            secret.replace('"', "")
        ),
        _ => format!(
            "Location: https://x.example.com/{secret}?{name}={secret}\nServer: Apache\nX-Forwarded-Authorization: {secret}"
        ),
    }
}

/// A piece of `secret` that a text still shows, in any spelling of it that a form may have left.
fn leak(kept: &str, secret: &str) -> Option<String> {
    let chars: Vec<char> = secret.chars().collect();
    let size = chars.len().min(6);
    let pieces = chars
        .windows(size)
        .map(|piece| piece.iter().collect::<String>());
    let mut shown = pieces.flat_map(|piece| {
        let spelled = [
            json(&piece).trim_matches('"').to_owned(),
            percent(&piece),
            xml(&piece),
        ];
        std::iter::once(piece).chain(spelled)
    });
    shown.find(|piece| kept.contains(piece.as_str()))
}

#[test]
fn none_of_thousands_of_secrets_is_kept() {
    let mut dice = Dice(8);
    let mut planted_ones = 0;
    let mut leaks = Vec::new();
    for round in 0..3_000 {
        let name = NAMES[dice.roll(NAMES.len())];
        let secret = secret(round % SHAPES, &mut dice);
        let in_body = planted(dice.roll(FORMS), name, &secret).map(|text| (body(&text), text));
        let text = planted_in_headers(dice.roll(11), name, &secret);
        let in_headers = Some((headers(&text), text));
        for (kept, text) in in_body.into_iter().chain(in_headers) {
            planted_ones += 1;
            if let Some(piece) = leak(&kept, &secret) {
                leaks.push(format!(
                    "{piece:?} of {secret:?} in {kept:?}\n   from {text:?}"
                ));
            }
        }
    }
    assert!(planted_ones >= 2_000, "{planted_ones}");
    assert!(
        leaks.is_empty(),
        "{} of {planted_ones}:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[test]
fn a_secret_of_marks_alone_is_no_punctuation() {
    for secret in [
        "{:#&{}",
        "-.-.-.",
        "(/\"!;:,)",
        "{:\u{119e0}#\u{10100}{",
        "{\"\u{1d200}\u{a8e0}:",
    ] {
        for form in [0, 1, 2, 4, 11, 15] {
            let kept = body(&planted(form, "access_token", secret).unwrap());
            assert_eq!(leak(&kept, secret), None, "{kept}");
        }
    }
}

#[test]
fn a_secret_in_a_word_that_leaf_sends_is_not_kept() {
    let mut dice = Dice(9);
    for round in 0..600 {
        // Short ones and passphrases are words like others; what has the shape of an id is one.
        let shape = [1, 2, 3, 7, 9, 10, 11, 12, 13, 14][round % 10];
        let secret = secret(shape, &mut dice);
        for text in [
            secret.clone(),
            format!("OK {secret}"),
            format!("{secret} OK"),
        ] {
            let kept = word(&text);
            assert_eq!(leak(&kept, &secret), None, "{kept} from {text}");
        }
        if ![1, 7].contains(&shape) {
            assert!(!is_id(&secret), "{secret}");
        }
    }
}

#[test]
fn a_secret_that_a_text_says_in_other_words_is_not_kept() {
    for (text, secret) in [
        (r#"{"message":"Password: new user hunter2x"}"#, "hunter2x"),
        (r#"{"message":"token: access granted abc123x"}"#, "abc123x"),
        (
            r#"{"errors":[{"field":"password","message":"hunter2x is too short"}]}"#,
            "hunter2x",
        ),
        (
            r#"{"errors":[{"message":"hunter2x is too short","parameter":"clientSecret"}]}"#,
            "hunter2x",
        ),
        (
            r#"{"detail":[{"loc":["body","password"],"msg":"bad: hunter2x"}]}"#,
            "hunter2x",
        ),
        (
            r#"{"path":"$.user.password","details":{"reason":"hunter2x"}"#,
            "hunter2x",
        ),
        (
            r#"{"name":"x_api_key","error":"maize2024 is unknown"}"#,
            "maize2024",
        ),
        (
            r#"{"message":"hunter2x is too short","key":"pin"}"#,
            "hunter2x",
        ),
        ("senha: milho2024", "milho2024"),
        ("mot de passe: ble2024x", "ble2024x"),
        ("contraseña=maiz2024", "maiz2024"),
        ("Wachtwoord: mais2024", "mais2024"),
        ("Lösenord: majs2024", "majs2024"),
        (
            "GET https://h.example.com/cb?code=SplxlO&state=af0ifj HTTP/1.1",
            "SplxlO",
        ),
        (
            "GET https://h.example.com/cb?code=SplxlO&state=af0ifj HTTP/1.1",
            "af0ifj",
        ),
        ("https://h.example.com/cb?state=maize24", "maize24"),
        ("grant_type=authorization_code&code=maize24", "maize24"),
        ("login anna/hunter2x failed", "hunter2x"),
        ("login for user anna:hunter2x failed", "hunter2x"),
    ] {
        let kept = body(text);
        assert_eq!(leak(&kept, secret), None, "{kept} from {text}");
    }
    assert_eq!(
        body(r#"{"field":"password","message":"it is too short at 12:00","code":422}"#),
        r#"{"field":"password","message":"it is too short at 12:00","code":422}"#
    );
    assert_eq!(
        body("token: has expired at 12:00:01"),
        "token: has expired at 12:00:01"
    );
    assert_eq!(
        body("GET /cb?code=404&state=DISABLED"),
        "GET /cb?code=404&state=DISABLED"
    );
}

#[test]
fn random_letters_are_a_credential_and_words_are_none() {
    let mut dice = Dice(10);
    let letters = &ALL[..52];
    for (letters, length) in [
        (letters, 20),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
        (ALL, 10),
        (ALL, 16),
    ] {
        let passed = (0..1_000)
            .map(|_| dice.of(letters, length))
            .filter(|run| body(run) == *run);
        let passed: Vec<_> = passed.collect();
        assert!(
            passed.len() <= 80,
            "{} of {length}: {passed:?}",
            passed.len()
        );
    }
    for text in [
        "ACCESS_DENIED_ORG_4711",
        "E0000011",
        "AADSTS700016",
        "OAuth2AccessDeniedException",
        "InvalidBearerTokenException",
        "HttpClientErrorException",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "SHA256withRSA",
        "UnsupportedGrantType",
        "OAUTH2CREDENTIALS",
        "20260301T120000Z",
        "0x80070005",
        "XMLHttpRequest",
        "NullPointerException",
        "JsonWebTokenError",
    ] {
        assert_eq!(body(text), text);
    }
}

/// Texts that explain, as they are to be kept: to the letter, but for the order and spacing of JSON.
const HARMLESS: &[&str] = &[
    r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#,
    r#"{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}"#,
    r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#,
    r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorLink":"invalid_client","errorCauses":[]}"#,
    r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorCauses":[]}"#,
    r#"{"error":"ACCESS_DENIED_ORG_4711"}"#,
    r#"{"code":"ACCESS_DENIED_ORG_4711","message":"Access denied for organization 4711"}"#,
    r#"{"refreshTokenState":"REVOKED"}"#,
    r#"{"token":"expired"}"#,
    r#"{"token":"EXPIRED","refreshToken":"not found","password":null,"secret":false}"#,
    r#"{"error":"invalid_token","token_status":"revoked"}"#,
    r#"{"error":"E0000011"}"#,
    "Server Authorization Failed",
    "Access Denied",
    "The client does not have a proper access for this API. Required scopes: ag1 org2",
    r#"{"@type":"Errors","errors":[{"@type":"Error","message":"Requested Org is in a restricted state."}]}"#,
    "<html>\n<head><title>403 Forbidden</title></head>\n<body><center><h1>403 Forbidden</h1></center><hr><center>nginx/1.18.0</center></body></html>",
    "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>",
    r#"{"timestamp":"2026-03-01T12:00:00.000+00:00","status":401,"error":"Unauthorized","message":"Full authentication is required to access this resource","path":"/services/usermanagement/api/users"}"#,
    r#"{"type":"https://www.jhipster.tech/problem/problem-with-message","title":"Unauthorized","status":401,"detail":"Not Authenticated","path":"/services/fields/api/fields","message":"error.http.401"}"#,
    r#"{"error":"Request limit exceeded","message":"slow down","status_code":429}"#,
    r#"{"error":"insufficient_scope","scope":"ag1 org2 offline_access"}"#,
    "Bearer token is missing. Basic authentication required",
    "io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026-03-01T12:00:00Z",
    r#"{"error":"invalid_token","error_description":"The token has expired"}"#,
    "Invalid token: signature verification failed",
    "Token expired",
    "token: expired",
    "password expired",
    "Your password has expired. Please log in again.",
    "The key was not found",
    "Session is closed",
    r#"{"message":"Session not found"}"#,
    r#"{"message":"No credentials found for organization 4711"}"#,
    r#"{"organizationId":4711,"organizationName":"Hillside Farms LLC","error":"forbidden"}"#,
    r#"{"orgId":"3c9d2f1e-1111-4222-8333-444455556666","status":"BLOCKED"}"#,
    r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#,
    r#"{"error":{"errors":[{"reason":"authError","message":"Invalid Credentials"}],"code":401}}"#,
    r#"{"fault":{"faultstring":"Invalid Access Token","detail":{"errorcode":"keymanagement.service.invalid_access_token"}}}"#,
    r#"{"message":"AADSTS700016: Application not found in the directory"}"#,
    "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
    "no healthy upstream",
    "java.net.SocketTimeoutException: Read timed out",
    "TLS handshake failed: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "Deere flood protection: 429 Too Many Requests, retry after 120 seconds",
    "Customer must accept new terms: https://my.deere.com/terms?org=12345&lang=en",
    "User lacks MISSING_PERMISSION in Operations Center",
    "The refresh token is invalid, revoked, expired or was issued to another client.",
    r#"{"title":"Not Found","status":404,"instance":"/platform/organizations/4711/fields"}"#,
    r#"{"code":"UNSUPPORTED_GRANT_TYPE","reason":"grant_type must be refresh_token"}"#,
    r#"{"state":"DISABLED","reason":"App was disabled by its owner on 2026-02-11"}"#,
    r#"{"warning":"Deprecated API version v2 will be removed"}"#,
    r#"{"message":"{\"error\":\"invalid_grant\"}"}"#,
    "Größe der Anfrage überschritten",
    r#"{"errors":["org 4711 not connected","org 4712 not connected"]}"#,
    "",
];

#[test]
fn nine_in_ten_texts_that_explain_stay_as_they_are() {
    let same = |kept: &str, text: &str| {
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        kept == text || value(kept).is_some_and(|kept| Some(kept) == value(text))
    };
    let changed: Vec<_> = HARMLESS
        .iter()
        .map(|text| (body(text), text))
        .filter(|(kept, text)| !same(kept, text))
        .collect();
    assert!(HARMLESS.len() >= 54);
    assert!(
        changed.len() <= HARMLESS.len() / 10,
        "{} of {}: {changed:#?}",
        changed.len(),
        HARMLESS.len()
    );
}

/// What the issue of a refusal hangs on, whatever stands around it.
#[test]
fn what_a_diagnosis_needs_stays() {
    for (text, needed) in [
        (
            r#"{"token_type":"Bearer","access_token":"abc","error":"invalid_grant"}"#,
            "invalid_grant",
        ),
        (
            r#"{"a":{"b":{"c":{"error":"invalid_client"}}}}"#,
            "invalid_client",
        ),
        (
            r#"401 Unauthorized: "{"error":"invalid_client","client_secret":"x1"}""#,
            "invalid_client",
        ),
        (
            r#"{"error":"invalid_grant","headers":{"Authorization":["Bearer abc"]},"access_token":"eyJ"#,
            "invalid_grant",
        ),
        (
            "error=invalid_grant&refresh_token=abc",
            "error=invalid_grant",
        ),
        (
            "<error>invalid_grant</error><token>abc</token>",
            "<error>invalid_grant</error>",
        ),
        (
            r#"{"error":"x","message":"Requested Org is in a restr"#,
            "Requested Org is in a restr",
        ),
        (
            "{error=invalid_grant, access_token=abc}",
            "error=invalid_grant",
        ),
        (
            r#"{"response":"{\"error\":\"invalid_grant\"}","status":400}"#,
            "invalid_grant",
        ),
    ] {
        let kept = body(text);
        assert!(kept.contains(needed), "{kept} from {text}");
    }
    assert_eq!(
        body(r#"{"error":"x","password":12345678,"tokens":["x9"],"n":[1,{"error":2}]}"#),
        r#"{"error":"x","password":"…","tokens":["…"],"n":["…",{"error":2}]}"#
    );
}

#[test]
fn of_headers_those_stay_that_explain() {
    let link = "https://my.deere.com/terms?org=12345&lang=en&tid=0oa1b2c3d4e5f6g7h8i9";
    let date = "Sun, 01 Mar 2026 12:00:00 GMT";
    for text in [
        format!(
            "Date: {date}\r\nSet-Cookie: a=b\r\nX-Deere-Warning: New terms must be accepted\r\nX-Deere-Terms-Location: {link}\r\nRetry-After: 120"
        ),
        format!(
            r#"{{"Date":["{date}"],"Set-Cookie":["a=b"],"X-Deere-Warning":["New terms must be accepted"],"X-Deere-Terms-Location":["{link}"],"Retry-After":120}}"#
        ),
        format!(
            "{{date=[{date}], Set-Cookie=[a=b], x-deere-warning=[New terms must be accepted], X-DEERE-TERMS-LOCATION=[{link}], Retry-After=[120]}}"
        ),
        format!(
            "{{Date={date}, X-Deere-Warning=New terms must be accepted, X-Deere-Terms-Location={link}, Retry-After=120}}"
        ),
        format!(
            r#"[Date:"{date}", X-Deere-Warning:"New terms must be accepted", X-Deere-Terms-Location:"{link}", Retry-After:"120"]"#
        ),
        format!(
            r#"[{{"name":"Date","value":"{date}"}},{{"name":"X-Deere-Warning","value":"New terms must be accepted"}},{{"name":"X-Deere-Terms-Location","value":"{link}"}},{{"name":"Retry-After","value":"120"}}]"#
        ),
        json(&format!(
            "Date: {date}\r\nX-Deere-Warning: New terms must be accepted\r\nX-Deere-Terms-Location: {link}\r\nRetry-After: 120\r\n"
        )),
    ] {
        let kept = headers(&text);
        let expected = format!(
            "Date: {date}\nX-Deere-Warning: New terms must be accepted\nX-Deere-Terms-Location: {link}\nRetry-After: 120"
        );
        assert_eq!(kept, expected, "from {text}");
    }
    assert_eq!(
        headers(
            r#"WWW-Authenticate: Bearer realm="d8f7a6", error="invalid_token", error_description="The token is expired""#
        ),
        r#"WWW-Authenticate: error="invalid_token", error_description="The token is expired""#
    );
    assert_eq!(
        headers(
            "X-Request-Id: 3c9d2f1e-1111-4222-8333-444455556666\nServer: nginx/1.18.0 (Ubuntu)\nX-Powered-By: PHP\nContent-Type: application/json; charset=utf-8"
        ),
        "X-Request-Id: 3c9d2f1e-1111-4222-8333-444455556666\nServer: nginx/1.18.0 (Ubuntu)\nContent-Type: application/json; charset=utf-8"
    );
    assert_eq!(headers("Set-Cookie: a=b"), "");
}

#[test]
fn that_there_are_terms_stays_where_their_link_is_none() {
    let name = "X-Deere-Terms-Location";
    let long = format!(
        "https://my.deere.com/terms?a={}",
        "a b".repeat(200).replace(' ', "-")
    );
    let behind = format!("{}\n{name}: {}", "X-Odd: y\n".repeat(1810), &long[..100]);
    for text in [
        format!("{name}: http://my.deere.com/terms\nDate: x"),
        format!("{name}: /terms?org=1"),
        format!("{{{name}=[/terms], a=[b]}}"),
        format!(r#"{{"{name}":["terms"]}}"#),
        format!("{name}: {long}"),
        format!("{name}: https://anna:maize@my.deere.com/terms"),
        behind,
    ] {
        assert_eq!(headers(&text), format!("{name}: …"), "from {text}");
    }
    let full = format!(
        "WWW-Authenticate: error=\"{0}\", error_a=\"{0}\", error_b=\"{0}\"\nServer: {0}{0}\nX-Deere-Warning: {0}{0}\n{name}: {1}",
        "word and ".repeat(20),
        &long[..480]
    );
    let kept = headers(&full.replace(name, &format!("X-Odd: y\n{name}")));
    assert!(
        kept.contains(&long[..480]) || kept.ends_with(&format!("{name}: …")),
        "{kept}"
    );
    let link = "https://my.deere.com/terms?orgs=12,13&lang=en";
    for text in [
        format!("{{{name}={link}, Retry-After=5}}"),
        format!("{name}: {link}\nRetry-After: 5"),
        format!("[{name}:{link},Retry-After:5]"),
    ] {
        assert_eq!(
            headers(&text),
            format!("{name}: {link}\nRetry-After: 5"),
            "from {text}"
        );
    }
    // A list of names is none of values.
    assert_eq!(
        headers(&format!("Access-Control-Expose-Headers: X-A, {name}, X-B")),
        ""
    );
}

#[test]
fn of_a_warning_the_words_in_quotes_stay() {
    let kept = r#"X-Deere-Warning: 299 - "New terms must be accepted""#;
    for text in [
        kept.to_owned(),
        json(kept),
        r#"{X-Deere-Warning=[299 - "New terms must be accepted"], a=b}"#.into(),
        r#"{"X-Deere-Warning":"299 - \"New terms must be accepted\""}"#.into(),
    ] {
        assert_eq!(headers(&text), kept, "from {text}");
    }
}

#[test]
fn what_is_kept_is_bounded_and_cut_where_no_secret_shows() {
    assert_eq!(body(&"word ".repeat(10_000)).chars().count(), TEXT + 1);
    assert!(headers(&format!("X-Deere-Warning: {}", "ü ".repeat(10_000))).len() <= LONGEST_HEADERS);
    let many = format!(
        "[{}]",
        vec![r#"{"message":"a long text that goes on"}"#; 20_000].join(",")
    );
    assert!(body(&many).len() <= LONGEST_BODY);
    let deep = format!("{}{}", r#"{"error":"#.repeat(5_000), "1");
    assert!(body(&deep).len() <= LONGEST_BODY);
    let secret = "aB3dE5gH".repeat(20_000);
    for text in [
        format!(r#"{{"a":"b","access_token":"{secret}"}}"#),
        format!("token={secret}"),
        format!("x {secret}"),
        secret,
    ] {
        assert!(!body(&text).contains("aB3dE5gH"));
        assert!(!headers(&text).contains("aB3dE5gH"));
    }
}

/// No text makes work that grows faster than it: a body of 64 KiB costs 1 to 3 ms, and cost 11 s where it did. What is asked
/// here is what even a machine that is busy with other things keeps; the milliseconds are the benchmark's.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is our own work, which no clock of a test moves"
)]
fn no_text_costs_more_than_a_bounded_one() {
    let is_linear = |text: &str| {
        // The best of some tries: a busy machine only ever adds.
        let tries = (0..5).map(|_| {
            let began = std::time::Instant::now();
            std::hint::black_box((body(text), headers(text)));
            began.elapsed()
        });
        let best = tries.min().unwrap_or_default();
        let start: String = text.chars().take(20).collect();
        assert!(best.as_secs() < 1, "{start:?}: {best:?}");
    };
    let fields = (0..26).map(|n| format!("\"e{n} error\":{}", json(&",pin=x\n".repeat(290))));
    let many = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    is_linear(&many);
    for piece in [
        "a/",
        "token=",
        "<token>",
        "key:\n",
        "{\"a\":",
        "[",
        "\\\"",
        "&amp;",
        "%2522",
        "a@",
        "'password','",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Bearer ",
        "<a b=",
        "form-data;\n",
        "eyJ",
        "{\"error\":\"a/a/\"},",
        "Date: ",
        "(",
        "error=",
    ] {
        is_linear(&piece.repeat(1024 * 1024 / piece.len()));
    }
}

#[test]
fn a_mail_server_says_its_codes_and_never_our_login() {
    let password = "tr0ub4dor&3-Zebra";
    let sent = BASE64_STANDARD.encode(format!("\0ops@example.com\0{password}"));
    let coded = BASE64_STANDARD.encode(password);
    let login = Echo::of([password, sent.as_str(), coded.as_str()]);
    let reversed: String = password.chars().rev().collect();
    let bytes: Vec<_> = password.bytes().map(|byte| format!("{byte:02X}")).collect();
    let hex = bytes.concat();
    let (coloned, spaced) = (bytes.join(":"), bytes.join(" "));
    let listed = format!("0x{}", bytes.join(", 0x"));
    for echo in [
        password,
        &coloned,
        &spaced,
        &listed,
        &reversed,
        &hex,
        &sent,
        &coded,
        &password[4..],
        &password[..7],
        &coded[3..12],
    ] {
        for text in [
            format!("5.7.8 no: {echo}"),
            format!("5.7.8 {echo} is bad"),
            format!("5.7.8 <{echo}>,{echo}"),
        ] {
            let kept = reply(&text, &login);
            assert!(kept.starts_with("5.7.8"), "{kept}");
            assert_eq!(leak(&kept, echo), None, "{kept} from {text}");
        }
    }
    for text in [
        "5.1.1 User unknown in virtual mailbox table",
        "2.0.0 Ok: queued as 4F2k1X6zQYz9",
        "4.7.1 Greylisted, please try again in 300 seconds",
        "5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
        "5.2.2 Mailbox full",
    ] {
        assert_eq!(reply(text, &login), text);
    }
    assert_eq!(
        reply(&"a b ".repeat(500), &Echo::default()).chars().count(),
        REPLY
    );
}

proptest! {
    #[test]
    fn what_is_kept_is_kept_again_as_it_is(
        text in "(\\PC|[\\\\\"'{}\\[\\]=:;,&<>%\\n\\t ]|token|password|Bearer |error|code|value|name|…|\\{\"message\":|\"error\":\"){0,60}",
    ) {
        let once = body(&text);
        prop_assert!(once.len() <= LONGEST_BODY);
        let _ = body(&once);
        let once = headers(&text);
        prop_assert_eq!(headers(&once), once);
    }

    #[test]
    fn any_text_at_all_is_gone_under_a_secret_name_of_json(secret in "\\PC{6,40}|[\\PC&&\\PL&&\\PN]{6,40}", form in 0..16usize, name in 0..NAMES.len()) {
        let secret: String = clean_lines(&secret);
        prop_assume!(secret.chars().count() >= 6 && secret.chars().any(|c| !c.is_ascii_alphabetic()));
        let form = if form >= 12 { 0 } else { form };
        let text = planted(form, NAMES[name], &secret).unwrap();
        let frame = body(&planted(form, NAMES[name], "…").unwrap());
        let kept = body(&text);
        prop_assert!(leak(&kept, &secret).is_none_or(|piece| frame.contains(&piece)), "{} from {}", kept, text);
    }
}
