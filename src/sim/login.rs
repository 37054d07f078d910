//! Who may ask: the API owner's login and the tokens handed out.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use serde::Deserialize;

use super::SECRET_MARK;

/// What the login asks for and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRules {
    /// The API owner's name.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Hands out a word without meaning instead of a JWT.
    pub opaque: bool,
    /// How long a token lives; left out: 30 days with `rememberMe`, else 24 hours, as documented.
    pub life: Option<Duration>,
    /// Whether a new login voids the tokens given before; not documented.
    pub voids_older: bool,
}

impl Default for LoginRules {
    fn default() -> Self {
        LoginRules {
            username: "ops@example.com".to_owned(),
            password: format!("{SECRET_MARK}leaf-password"),
            opaque: false,
            life: None,
            voids_older: false,
        }
    }
}

/// The rules, and every token that still opens the door.
#[derive(Debug, Default)]
pub(super) struct Logins {
    pub(super) rules: LoginRules,
    valid_until: HashMap<String, Option<Timestamp>>,
    given: Vec<String>,
}

/// Why there was no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    WrongPassword,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    username: String,
    password: String,
    #[serde(default)]
    remember_me: serde_json::Value,
}

impl Logins {
    /// Answers a login's body with a token.
    pub(super) fn login(&mut self, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
        let asked: Asked = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
        if asked.username != self.rules.username || asked.password != self.rules.password {
            return Err(Refusal::WrongPassword);
        }
        // The docs send the string, others the boolean.
        let remember = asked.remember_me == true || asked.remember_me == "true";
        let days = if remember { 30 } else { 1 };
        let life = self
            .rules
            .life
            .unwrap_or(Duration::from_secs(days * 86_400));
        let until = now + life;
        if self.rules.voids_older {
            self.valid_until.clear();
        }
        let number = self.given.len() + 1;
        let token = if self.rules.opaque {
            format!("{SECRET_MARK}token-{number}")
        } else {
            jwt(&self.rules.username, until, number)
        };
        self.given.push(token.clone());
        self.valid_until.insert(token.clone(), Some(until));
        Ok(token)
    }

    /// Whether `token` opens the door at `now`.
    pub(super) fn accepts(&self, token: &str, now: Timestamp) -> bool {
        match self.valid_until.get(token) {
            Some(until) => until.is_none_or(|until| now < until),
            None => false,
        }
    }

    /// Lets a token in that no login gave, for ever.
    pub(super) fn accept(&mut self, token: &str) {
        self.given.push(token.to_owned());
        self.valid_until.insert(token.to_owned(), None);
    }

    /// Voids every token.
    pub(super) fn expire_all(&mut self) {
        self.valid_until.clear();
    }

    /// The password and every token ever valid.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &String> {
        self.given.iter().chain([&self.rules.password])
    }
}

/// A JWT of the kind that Leaf's framework signs (HS512; `sub`, `auth`, `exp`). `jti` is ours: two logins within a
/// second shall not give the same token.
fn jwt(subject: &str, until: Timestamp, number: usize) -> String {
    let claims = serde_json::json!({
        "sub": subject, "auth": "ROLE_USER", "exp": until.as_second(), "jti": number.to_string(),
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA512, b"the simulated Leaf's signing key");
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn body(remember_me: &str) -> Vec<u8> {
        format!(
            r#"{{"username":"ops@example.com","password":"SECRET-leaf-password","rememberMe":{remember_me}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_token_says_in_its_exp_how_long_it_really_lives() {
        for (remember, days) in [("true", 30), ("\"true\"", 30), ("false", 1)] {
            let mut logins = Logins::default();
            let token = logins.login(&body(remember), START).unwrap();
            let claims = URL_SAFE_NO_PAD
                .decode(token.split('.').nth(1).unwrap())
                .unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["exp"], days * 86_400);
            let exp = START + Duration::from_secs(days * 86_400);
            assert!(logins.accepts(&token, exp - Duration::from_secs(1)));
            assert!(!logins.accepts(&token, exp));
        }
    }

    #[test]
    fn a_second_login_voids_the_first_token_only_where_told_so() {
        for voids_older in [false, true] {
            let mut logins = Logins::default();
            logins.rules.voids_older = voids_older;
            let first = logins.login(&body("true"), START).unwrap();
            let second = logins.login(&body("true"), START).unwrap();
            assert_ne!(first, second);
            assert_eq!(logins.accepts(&first, START), !voids_older);
            assert!(logins.accepts(&second, START));
        }
    }

    #[test]
    fn a_wrong_password_is_told_from_a_malformed_body() {
        let mut logins = Logins::default();
        let wrong = br#"{"username":"ops@example.com","password":"no"}"#;
        assert_eq!(logins.login(wrong, START), Err(Refusal::WrongPassword));
        assert_eq!(
            logins.login(b"username=ops", START),
            Err(Refusal::Malformed)
        );
    }
}
