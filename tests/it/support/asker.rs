//! A client without a will of its own, to ask the simulated Leaf.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be asked is a test that failed"
)]

use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::leaf::install_tls;
use leafwatch::model::{Credential, Provider};
use leafwatch::sim::{Consent, PASSWORD, SimulatedLeaf, USERNAME, nth_user};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::faulty_leaf::FaultyLeaf;

pub(crate) struct Asker {
    pub(crate) http: reqwest::Client,
    base_url: String,
    pub(crate) token: String,
}

pub(crate) fn john_deere(nth: u64) -> Credential {
    let provider = Provider::JOHN_DEERE;
    let user = nth_user(nth);
    Credential { user, provider }
}

/// A Leaf with one grower, and a client that has logged in.
pub(crate) async fn one_grower() -> (FaultyLeaf, Asker, Credential) {
    let leaf = FaultyLeaf::start(Clock::system()).await;
    leaf.add_user(nth_user(0), "Hillside Farms");
    leaf.connect(john_deere(0), Consent::default());
    let asker = Asker::logged_in(&leaf).await;
    (leaf, asker, john_deere(0))
}

impl Asker {
    pub(crate) fn new(leaf: &SimulatedLeaf) -> Self {
        install_tls();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20));
        Asker {
            http: http.build().unwrap(),
            base_url: leaf.base_url(),
            token: String::new(),
        }
    }

    pub(crate) async fn logged_in(leaf: &SimulatedLeaf) -> Self {
        let mut asker = Asker::new(leaf);
        asker.token = asker.log_in(leaf).await.unwrap();
        asker
    }

    /// A fresh token, or the status of the refusal.
    pub(crate) async fn log_in(&self, leaf: &SimulatedLeaf) -> Result<String, StatusCode> {
        let body = json!({
            "username": USERNAME, "password": PASSWORD, "rememberMe": "true",
        });
        let login = self
            .http
            .post(format!("{}/api/authenticate", leaf.base_url()));
        let answer = login.json(&body).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            return Err(answer.status());
        }
        let answer: Value = answer.json().await.unwrap();
        Ok(answer["id_token"].as_str().unwrap().to_owned())
    }

    pub(crate) fn request(&self, path: &str) -> RequestBuilder {
        let base = format!("{}/services/usermanagement/api/users", self.base_url);
        self.http
            .get(format!("{base}{path}"))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(path).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }
}

pub(crate) fn reading(credential: Credential) -> String {
    format!("/{}/{}", credential.user, credential.provider.path())
}

pub(crate) fn events(credential: Credential) -> String {
    format!("{}/events", reading(credential))
}
