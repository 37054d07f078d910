//! The one POST: gets a token by name and password, or from where the operator keeps it.
//!
//! The password lives only while its request does; neither it nor an answer ever gets into an error.

use std::borrow::Cow;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::counters::count;
use super::endpoint::Endpoint;
use super::gate::Lane;
use super::halt::Halt;
use super::loose::Word;
use super::token::Token;
use super::upstream::Upstream;
use super::wire::{self, Answer, MOST_BYTES, Sent};
use crate::config::{Auth, SecretFault, SecretFile};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    username: &'a str,
    password: &'a str,
    /// A token of 30 days in place of one.
    remember_me: bool,
}

impl Upstream {
    /// Gets a token anew.
    pub(super) async fn log_in(&self) -> Result<Token, Halt> {
        let endpoint = self.endpoint();
        match &endpoint.auth {
            Auth::Password { username, password } => {
                self.log_in_by_password(&endpoint, username, password).await
            }
            Auth::Token(file) => {
                let token = file.read().map_err(unreadable)?;
                Token::new(token.expose_secret(), false, &self.clock).ok_or_else(|| {
                    Halt::LoginRefused("the configured token is empty or no token".to_owned())
                })
            }
        }
    }

    async fn log_in_by_password(
        &self,
        endpoint: &Endpoint,
        username: &str,
        password: &SecretFile,
    ) -> Result<Token, Halt> {
        let password = password.read().map_err(unreadable)?;
        let url = format!("{}/api/authenticate", endpoint.base_url);
        let mut tries = 0;
        loop {
            count(&self.counts.logins);
            if tries > 0 {
                count(&self.counts.retries);
            }
            let sent = {
                let _permit = self.gate.enter(Lane::Login).await?;
                let request = endpoint.http.post(&url).json(&Request {
                    username,
                    password: password.expose_secret(),
                    remember_me: true,
                });
                wire::send(request, MOST_BYTES, endpoint.timeout).await
            };
            if let Sent::Answer(answer) = &sent
                && answer.status == 200
                && let Some(token) = self.token_in(answer)
            {
                return Ok(token);
            }
            count(&self.counts.logins_failed);
            let pause = match &sent {
                Sent::Answer(answer) if is_refusal(answer) => {
                    return Err(Halt::LoginRefused(format!("HTTP {}", answer.status)));
                }
                Sent::Answer(answer) if matches!(answer.status, 408 | 429 | 500..) => {
                    self.wait_after(Some(answer), endpoint, tries)?
                }
                Sent::Answer(_) | Sent::TooLong { .. } | Sent::Garbage => None,
                Sent::Closed | Sent::Fault(_) => self.wait_after(None, endpoint, tries)?,
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(Halt::LoginUnreachable(in_words(sent))),
            }
            tries += 1;
        }
    }

    fn token_in(&self, answer: &Answer) -> Option<Token> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            id_token: Cow<'a, str>,
        }
        let body: Body<'_> = serde_json::from_slice(&answer.body).ok()?;
        Token::new(&body.id_token, true, &self.clock)
    }
}

/// An operator has to act, as where Leaf itself refuses the login.
fn unreadable(fault: SecretFault) -> Halt {
    Halt::LoginRefused(fault.with_advice())
}

/// Whether Leaf says that name or password are wrong: by the HTTP status, or by the one inside the error report, where
/// 400 is malformed and 401 wrong.
fn is_refusal(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Report {
        #[serde(default)]
        status: Word,
    }
    match answer.status {
        401 | 403 => true,
        400..=499 if answer.status != 429 && answer.status != 408 => {
            let report: Option<Report> = serde_json::from_slice(&answer.body).ok();
            let status = report.and_then(|report| report.status.0);
            matches!(status.as_deref(), Some("400" | "401"))
        }
        _ => false,
    }
}

fn in_words(sent: Sent) -> String {
    match sent {
        Sent::Answer(answer) if answer.status == 200 => "the answer has no id_token".to_owned(),
        Sent::Answer(answer) => format!("HTTP {}", answer.status),
        Sent::TooLong { .. } => "the answer is too long".to_owned(),
        Sent::Garbage => "the answer is no HTTP".to_owned(),
        Sent::Closed => "the connection was closed before an answer".to_owned(),
        Sent::Fault(words) => words,
    }
}
