//! Reads when a token ends, if it is a JWT. Its signature is Leaf's business and is not checked.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

/// What a token says of its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) issued: Option<Timestamp>,
    pub(super) expires: Timestamp,
}

impl Claims {
    /// How long a token got at `now` lives: from the claims alone where both are there, since then no clock has to be
    /// right. `None` if it would be over already.
    pub(super) fn life(self, now: Timestamp) -> Option<Duration> {
        let from = self.issued.filter(|issued| *issued < self.expires);
        let life = self.expires.duration_since(from.unwrap_or(now));
        Duration::try_from(life).ok().filter(|life| !life.is_zero())
    }
}

/// The claims of `token`; an opaque token, which is as legal, has none.
pub(super) fn claims(token: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Payload {
        exp: f64,
        #[serde(default)]
        iat: Option<f64>,
    }
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    let moment = |seconds: f64| Timestamp::from_second(seconds as i64).ok();
    Some(Claims {
        issued: payload.iat.and_then(moment),
        expires: moment(payload.exp)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!(
            "eyJhbGciOiJIUzUxMiJ9.{}.c2ln",
            BASE64_URL_SAFE_NO_PAD.encode(payload)
        )
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn life_is_read_from_the_claims_or_against_the_clock() {
        let both = claims(&token(r#"{"sub":"x","iat":1000,"exp":4600}"#)).unwrap();
        assert_eq!(both.life(at(0)), Some(Duration::from_secs(3600)));
        let end_only = claims(&token(r#"{"exp":4600.0}"#)).unwrap();
        assert_eq!(end_only.life(at(4000)), Some(Duration::from_secs(600)));
        assert_eq!(end_only.life(at(5000)), None);
    }

    #[test]
    fn an_opaque_token_has_no_claims() {
        for opaque in [
            "",
            "opaque",
            "a.b.c",
            "a.b",
            &token("[]"),
            &token("{\"exp\":\"soon\"}"),
        ] {
            assert_eq!(claims(opaque), None, "{opaque}");
        }
    }
}
