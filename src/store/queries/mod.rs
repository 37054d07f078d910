//! What the commands and the page ask: reads of one consistent state, shaped as it is shown. Never writes.

mod availability;
mod deliveries;
mod digest;
mod events;
mod explain;
mod history;
mod incidents;
mod past;
mod report;
mod roll;
mod status;
mod timeline;
mod users;

use jiff::Timestamp;

use crate::model::{Credential, Policy, Provider, UserId, WatchList, clean};
use crate::view::{User, Who};

pub use availability::Added;
pub use incidents::IncidentPart;
pub use past::{About as AckedAbout, Past, PastAnswer, PastEvents, PastGap, PastSweep};
pub use roll::{Fleet, Pick, Roll, Wanted};
pub use timeline::{AnswerOfLife, Lifeline};
pub use users::NotOneUser;

/// What holds while a question is answered.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The names, and what is expected.
    pub watch: &'a WatchList,
    /// The settings.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
}

/// Which part of the answer is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this provider.
    pub provider: Option<Provider>,
    /// Only from then on.
    pub since: Option<Timestamp>,
}

impl Filter {
    fn takes(&self, provider: Provider) -> bool {
        self.provider.is_none_or(|wanted| wanted == provider)
    }
}

/// The longest name that is shown.
const NAME: usize = 60;

impl Scene<'_> {
    /// A user by the name from the config, else by Leaf's own.
    pub fn user(&self, user: UserId, leaf_name: Option<&str>) -> User {
        let named = self.watch.user(user).and_then(|user| user.name.as_deref());
        let name = named.or(leaf_name).map(|name| clean(name, NAME));
        User {
            user,
            name: name.filter(|name| !name.is_empty()),
        }
    }

    fn who(&self, credential: Credential, leaf_name: Option<&str>) -> Who {
        Who {
            user: self.user(credential.user, leaf_name),
            provider: credential.provider,
        }
    }
}
