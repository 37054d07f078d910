//! Faults on command: what goes wrong, for which requests, and how often.

use std::time::Duration;

use super::answer::RawAnswer;
use super::count::RequestKind;
use crate::model::Credential;

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every request.
    All,
    /// Every request but logins.
    AllButLogin,
    /// Requests of one kind.
    Kind(RequestKind),
    /// Both readings and events of one credential.
    Credential(Credential),
    /// One kind of request for one credential.
    KindOf(RequestKind, Credential),
}

impl Scope {
    fn meets(self, kind: RequestKind, credential: Option<Credential>) -> bool {
        match self {
            Scope::All => true,
            Scope::AllButLogin => kind != RequestKind::Login,
            Scope::Kind(wanted) => wanted == kind,
            Scope::Credential(wanted) => credential == Some(wanted),
            Scope::KindOf(wanted, whose) => wanted == kind && credential == Some(whose),
        }
    }
}

/// Which of the requests met go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    skip: u32,
    every: u32,
    times: u32,
}

impl When {
    /// All, until lifted.
    pub fn always() -> Self {
        When {
            skip: 0,
            every: 1,
            times: u32::MAX,
        }
    }

    /// The next `times`; 0 counts as 1.
    pub fn next(times: u32) -> Self {
        When {
            times: times.max(1),
            ..When::always()
        }
    }

    /// The `k`-th, the `2k`-th and so on, until lifted; 0 counts as 1.
    pub fn every(k: u32) -> Self {
        When {
            every: k.max(1),
            ..When::always()
        }
    }

    /// Lets `skip` requests through first: in the middle of a sweep.
    pub fn after(self, skip: u32) -> Self {
        When { skip, ..self }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 401 with a problem body.
    Unauthorized,
    /// 403 with a problem body.
    Forbidden,
    /// 404 with a problem body.
    NotFound,
    /// 429 with the body that Leaf once drafted.
    TooMany {
        /// The `Retry-After` header as it is sent: seconds, a date, nonsense.
        retry_after: Option<String>,
    },
    /// 503 with a problem body.
    Unavailable {
        /// The `Retry-After` header as it is sent.
        retry_after: Option<String>,
    },
    /// Any status with a problem body.
    Status(u16),
    /// Any status with Spring's default error body.
    Spring(u16),
    /// Any status with an HTML page for a body, as gateways send it.
    Html(u16),
    /// A redirect to this location.
    Redirect(String),
    /// The right answer, late.
    Slow(Duration),
    /// The right answer, a few bytes at a time.
    Drip {
        /// Bytes at a time.
        bytes: usize,
        /// Pause before each.
        pause: Duration,
    },
    /// No answer, ever, on a connection that stays open.
    Hang,
    /// Half of the right answer, then nothing, on a connection that stays open.
    HangMidBody,
    /// The connection is reset before the answer.
    Cut,
    /// The connection ends in the middle of the body.
    CutMidBody,
    /// 200 with a JSON object of about this many bytes.
    HugeBody {
        /// How many.
        bytes: u64,
        /// Whether `Content-Length` says so beforehand.
        announced: bool,
    },
    /// 200 with bytes that are no text.
    Garbage,
    /// 200 with the first half of the right answer, as if it were whole.
    HalfJson,
    /// 200 without a body.
    EmptyBody,
    /// 200 with `null`.
    Null,
    /// 200 with `{}`.
    EmptyObject,
    /// 200 with `[]`.
    EmptyArray,
    /// This answer.
    Answer(RawAnswer),
}

/// Names a fault, to lift it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(u64);

/// The faults that stand.
#[derive(Debug, Default)]
pub(super) struct Faults {
    standing: Vec<Standing>,
    given: u64,
}

#[derive(Debug)]
struct Standing {
    id: FaultId,
    scope: Scope,
    when: When,
    met: u32,
    fault: Fault,
}

impl Faults {
    pub(super) fn add(&mut self, scope: Scope, fault: Fault, when: When) -> FaultId {
        self.given += 1;
        let id = FaultId(self.given);
        self.standing.push(Standing {
            id,
            scope,
            when,
            met: 0,
            fault,
        });
        id
    }

    pub(super) fn lift(&mut self, id: FaultId) {
        self.standing.retain(|standing| standing.id != id);
    }

    pub(super) fn lift_all(&mut self) {
        self.standing.clear();
    }

    /// The fault that meets this request: the newest, where several do. Each counts the requests that reach it.
    pub(super) fn meet(
        &mut self,
        kind: RequestKind,
        credential: Option<Credential>,
    ) -> Option<Fault> {
        let at = self
            .standing
            .iter_mut()
            .rposition(|standing| standing.scope.meets(kind, credential) && standing.strikes())?;
        let struck = &mut self.standing[at];
        let fault = struck.fault.clone();
        struck.when.times = struck.when.times.saturating_sub(1);
        if struck.when.times == 0 {
            self.standing.remove(at);
        }
        Some(fault)
    }
}

impl Standing {
    fn strikes(&mut self) -> bool {
        self.met = self.met.saturating_add(1);
        self.met > self.when.skip && (self.met - self.when.skip).is_multiple_of(self.when.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Provider;
    use crate::sim::nth_user;

    fn met(faults: &mut Faults, requests: usize) -> Vec<bool> {
        (0..requests)
            .map(|_| faults.meet(RequestKind::Reading, None).is_some())
            .collect()
    }

    #[test]
    fn a_fault_strikes_as_often_as_told() {
        let cases = [
            (When::always(), [true, true, true, true, true, true]),
            (When::next(2), [true, true, false, false, false, false]),
            (When::every(3), [false, false, true, false, false, true]),
            (
                When::next(1).after(2),
                [false, false, true, false, false, false],
            ),
            (
                When::every(2).after(1),
                [false, false, true, false, true, false],
            ),
        ];
        for (when, expected) in cases {
            let mut faults = Faults::default();
            faults.add(Scope::All, Fault::Forbidden, when);
            assert_eq!(met(&mut faults, 6), expected, "{when:?}");
        }
    }

    #[test]
    fn the_newest_fault_wins_and_lifting_it_shows_the_older() {
        let mut faults = Faults::default();
        faults.add(Scope::All, Fault::Forbidden, When::always());
        let newer = faults.add(Scope::All, Fault::Hang, When::always());
        assert_eq!(faults.meet(RequestKind::Users, None), Some(Fault::Hang));
        faults.lift(newer);
        assert_eq!(
            faults.meet(RequestKind::Users, None),
            Some(Fault::Forbidden)
        );
        faults.lift_all();
        assert_eq!(faults.meet(RequestKind::Users, None), None);
    }

    #[test]
    fn a_scope_meets_only_its_own_requests() {
        let ours = Credential {
            user: nth_user(1),
            provider: Provider::JOHN_DEERE,
        };
        let other = Credential {
            user: nth_user(2),
            ..ours
        };
        assert!(Scope::Credential(ours).meets(RequestKind::Events, Some(ours)));
        assert!(!Scope::Credential(ours).meets(RequestKind::Events, Some(other)));
        assert!(!Scope::Credential(ours).meets(RequestKind::Login, None));
        assert!(!Scope::AllButLogin.meets(RequestKind::Login, None));
        assert!(Scope::AllButLogin.meets(RequestKind::Other, None));
        assert!(!Scope::KindOf(RequestKind::Events, ours).meets(RequestKind::Reading, Some(ours)));
    }
}
