//! Why a credential is in trouble, as far as status and events tell.

use serde::{Deserialize, Serialize};

use super::Environment;

/// The likeliest cause of an access incident. Its wording and the next step are in `view::words`.
///
/// Sources: the error vocabulary of OAuth 2 (RFC 6749, 5.2) and of John Deere's API; what the status word alone says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// `invalid_grant`, or `invalid_token` on a data call: access was revoked, or the stored token expired.
    GrowerMustReconnect,
    /// `invalid_client`: the app's key or secret is wrong; every grower on that key is hit.
    AppSecretWrong {
        /// The last 4 characters of the client key, where known.
        key_tail: Option<String>,
    },
    /// 403 with `X-Deere-Terms-Location`: the grower has new terms to accept.
    TermsToAccept {
        /// Where they are accepted, where the header was a plain https link.
        url: Option<String>,
    },
    /// 401 or 403 on a STAGE credential, or from a provider's wrong host: environment, or approval of the app.
    EnvironmentOrApproval,
    /// A bare 401 on data calls: the app has no licence for them, or the stored token expired.
    AppNotApproved,
    /// 403: the grower's organization is not connected, or the person lacks the right.
    PermissionLacking,
    /// 403 that names scopes: too few were granted when the grower connected.
    ScopesLacking,
    /// 429 or 5xx: the provider has trouble.
    ProviderTrouble,
    /// Leaf has no such credential any more.
    CredentialGone,
    /// It was connected in another environment than the one expected.
    WrongEnvironment {
        /// The one expected.
        expected: Environment,
    },
    /// Only the status word speaks; no event says why.
    Unexplained,
}

impl Cause {
    /// Whether the grower is the one who mends it, by connecting again or by agreeing to something.
    pub fn grower_mends(&self) -> bool {
        matches!(
            self,
            Cause::GrowerMustReconnect
                | Cause::TermsToAccept { .. }
                | Cause::PermissionLacking
                | Cause::ScopesLacking
        )
    }

    /// Whether connecting again mends it, so that a link for it is of use.
    pub fn reconnect_mends(&self) -> bool {
        matches!(
            self,
            Cause::GrowerMustReconnect
                | Cause::ScopesLacking
                | Cause::CredentialGone
                | Cause::WrongEnvironment { .. }
                | Cause::Unexplained
        )
    }
}
