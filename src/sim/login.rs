//! Who may ask: the API owner's login and the tokens handed out.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::SECRET_MARK;

/// The API owner's name.
pub const USERNAME: &str = "ops@example.com";
/// Its password, with [`SECRET_MARK`] in it.
pub const PASSWORD: &str = "SECRET-leaf-password";

/// Every token that was handed out, and until when it opens the door.
#[derive(Debug, Default)]
pub(super) struct Logins(HashMap<String, Timestamp>);

/// Why there was no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginError {
    Malformed,
    WrongPassword,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginBody {
    username: String,
    password: String,
    #[serde(default)]
    remember_me: serde_json::Value,
}

impl Logins {
    /// Answers a login's body with a token: for 30 days with `rememberMe`, else for 24 hours, as documented.
    pub(super) fn login(&mut self, body: &[u8], now: Timestamp) -> Result<String, LoginError> {
        let asked: LoginBody = serde_json::from_slice(body).map_err(|_| LoginError::Malformed)?;
        if asked.username != USERNAME || asked.password != PASSWORD {
            return Err(LoginError::WrongPassword);
        }
        // The docs send the string, others the boolean.
        let remember = asked.remember_me == true || asked.remember_me == "true";
        let days = if remember { 30 } else { 1 };
        let until = now + Duration::from_secs(days * 86_400);
        let token = jwt(until, self.0.len());
        self.0.insert(token.clone(), until);
        Ok(token)
    }

    /// Whether `token` opens the door at `now`.
    pub(super) fn accepts(&self, token: &str, now: Timestamp) -> bool {
        self.0.get(token).is_some_and(|until| now < *until)
    }
}

/// A JWT as Leaf's framework makes them (HS512; `sub`, `auth`, `exp`). In the signature's place, which only Leaf itself
/// could check, stands the mark of a secret, and what tells the tokens of one second apart.
fn jwt(until: Timestamp, number: usize) -> String {
    let claims = serde_json::json!({
        "sub": USERNAME, "auth": "ROLE_USER", "exp": until.as_second(),
    });
    format!(
        "{}.{}.{SECRET_MARK}signature-{number}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn body(remember_me: &str) -> Vec<u8> {
        format!(r#"{{"username":"{USERNAME}","password":"{PASSWORD}","rememberMe":{remember_me}}}"#)
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
    fn a_second_login_gives_another_token_and_leaves_the_first() {
        let mut logins = Logins::default();
        let first = logins.login(&body("true"), START).unwrap();
        let second = logins.login(&body("true"), START).unwrap();
        assert_ne!(first, second);
        assert!(logins.accepts(&first, START) && logins.accepts(&second, START));
    }

    #[test]
    fn a_wrong_password_is_told_from_a_malformed_body() {
        let mut logins = Logins::default();
        let wrong = br#"{"username":"ops@example.com","password":"no"}"#;
        assert_eq!(logins.login(wrong, START), Err(LoginError::WrongPassword));
        assert_eq!(
            logins.login(b"username=ops", START),
            Err(LoginError::Malformed)
        );
    }
}
