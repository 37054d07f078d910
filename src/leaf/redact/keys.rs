//! Which names announce a secret.

/// What follows a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Nothing to hide.
    Plain,
    /// A secret.
    Secret,
    /// A secret that may have blanks, commas and pairs in it: credentials and cookies.
    WideSecret,
    /// A secret if it looks like one; also an ordinary word, as in `"code": 401`.
    Perhaps,
    /// The name of an app at the provider: shown by its last characters.
    ClientId,
}

/// Anywhere in a name.
const SECRET_PARTS: [&str; 33] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "subscriptionkey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "authkey",
    "authcode",
    "assertion",
    "jwt",
    "bearer",
    "sessionid",
    "sessionkey",
    "sessid",
    "signature",
    "initializationvector",
    "codeverifier",
    "xauth",
    "csrf",
    "xsrf",
    "samlresponse",
    "samlrequest",
    "credentialkey",
    "masterkey",
    "storagekey",
    "accountkey",
];

/// The whole name.
const SECRET_NAMES: [&str; 13] = [
    "auth", "pass", "pw", "pwd", "userpwd", "sid", "session", "sig", "otp", "apid", "dpop",
    "creds", "userinfo",
];

const WIDE_PARTS: [&str; 2] = ["authorization", "cookie"];

const PERHAPS_NAMES: [&str; 8] = [
    "code",
    "key",
    "state",
    "nonce",
    "iv",
    "pin",
    "hash",
    "authcontext",
];

const CLIENT_ID_ENDS: [&str; 9] = [
    "clientkey",
    "clientid",
    "consumerkey",
    "consumerid",
    "appkey",
    "appid",
    "applicationkey",
    "applicationid",
    "publickey",
];

/// A name that ends so tells *about* a secret.
const ABOUT_ENDS: [&str; 19] = [
    "type",
    "uri",
    "url",
    "endpoint",
    "metadata",
    "expires",
    "expiry",
    "expired",
    "expiration",
    "expiresin",
    "expiresat",
    "lifetime",
    "status",
    "valid",
    "exception",
    "error",
    "failed",
    "required",
    "methods",
];

/// What the value of `name` is; case and the blanks, dots, dashes and underscores in it aside.
pub(super) fn rank(name: &str) -> Rank {
    let mut plain = String::with_capacity(name.len());
    plain.extend(
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase),
    );
    let plain = plain.as_str();
    let is_any = |names: &[&str]| names.contains(&plain);
    let has_any = |parts: &[&str]| parts.iter().any(|part| plain.contains(part));
    let ends_any = |ends: &[&str]| ends.iter().any(|end| plain.ends_with(end));
    if plain.len() < 2 {
        Rank::Plain
    } else if ends_any(&CLIENT_ID_ENDS) || plain == "cid" {
        Rank::ClientId
    } else if is_any(&SECRET_NAMES) {
        Rank::Secret
    } else if is_any(&PERHAPS_NAMES) {
        Rank::Perhaps
    } else if ends_any(&ABOUT_ENDS) {
        Rank::Plain
    } else if has_any(&WIDE_PARTS) {
        Rank::WideSecret
    } else if has_any(&SECRET_PARTS) || plain.ends_with("pwd") {
        Rank::Secret
    } else {
        Rank::Plain
    }
}

/// Whether the value of `name` is itself the name of something, whose value is beside it: `{"name": …, "value": …}`.
pub(super) fn is_name(name: &str) -> bool {
    matches!(name, "name" | "key" | "header" | "field" | "id" | "param")
}

/// The other half of such a pair.
pub(super) fn is_value(name: &str) -> bool {
    matches!(name, "value" | "values" | "content")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_every_spelling() {
        for name in [
            "access_token",
            "accessToken",
            "ACCESS-TOKEN",
            "X-Access-Token",
            "refreshToken",
        ] {
            assert_eq!(rank(name), Rank::Secret, "{name}");
        }
        for name in [
            "Authorization",
            "proxy-authorization",
            "Set-Cookie",
            "cookie",
        ] {
            assert_eq!(rank(name), Rank::WideSecret, "{name}");
        }
        for name in ["clientKey", "client_id", "oauth_consumer_key"] {
            assert_eq!(rank(name), Rank::ClientId, "{name}");
        }
    }

    #[test]
    fn what_only_tells_about_secrets_stays() {
        for name in [
            "token_type",
            "tokenMetadata",
            "expires_in",
            "error",
            "error_description",
            "guid",
            "message",
            "WWW-Authenticate",
            "authorization_endpoint",
            "X-Deere-Terms-Location",
            "InvalidTokenException",
            "Retry-After",
            "status",
            "token_endpoint_auth_methods",
            "a",
            "",
        ] {
            assert_eq!(rank(name), Rank::Plain, "{name}");
        }
    }
}
