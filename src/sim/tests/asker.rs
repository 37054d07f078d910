//! A client without a will of its own.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::model::{Credential, Provider};
use crate::sim::{Consent, Leaf, nth_user};

pub(super) struct Asker {
    pub(super) http: reqwest::Client,
    base_url: String,
    pub(super) token: String,
}

pub(super) fn john_deere(nth: u64) -> Credential {
    let provider = Provider::JOHN_DEERE;
    let user = nth_user(nth);
    Credential { user, provider }
}

/// A Leaf with one grower, and a client that has logged in.
pub(super) async fn one_grower() -> (Leaf, Asker, Credential) {
    let leaf = Leaf::start().await.unwrap();
    leaf.add_user(nth_user(0), "Hillside Farms");
    leaf.connect(john_deere(0), Consent::default());
    let asker = Asker::logged_in(&leaf).await;
    (leaf, asker, john_deere(0))
}

impl Asker {
    pub(super) fn new(leaf: &Leaf) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
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

    pub(super) async fn logged_in(leaf: &Leaf) -> Self {
        let mut asker = Asker::new(leaf);
        asker.token = asker.log_in(leaf).await.unwrap();
        asker
    }

    /// A fresh token, or the status of the refusal.
    pub(super) async fn log_in(&self, leaf: &Leaf) -> Result<String, StatusCode> {
        let rules = leaf.login_rules();
        let body = json!({
            "username": rules.username, "password": rules.password, "rememberMe": "true",
        });
        let login = self
            .http
            .post(format!("{}/api/authenticate", self.base_url));
        let answer = login.json(&body).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            return Err(answer.status());
        }
        let answer: Value = answer.json().await.unwrap();
        Ok(answer["id_token"].as_str().unwrap().to_owned())
    }

    pub(super) fn request(&self, path: &str) -> RequestBuilder {
        let base = format!("{}/services/usermanagement/api/users", self.base_url);
        self.http
            .get(format!("{base}{path}"))
            .bearer_auth(&self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(path).send().await.unwrap()
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    pub(super) async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }
}

pub(super) fn reading(credential: Credential) -> String {
    format!("/{}/{}", credential.user, credential.provider.path())
}

pub(super) fn events(credential: Credential) -> String {
    format!("{}/events", reading(credential))
}
