//! The role of the yardstick: fixed workers fetch and parse the same answers with the same HTTP library, and do
//! nothing else: no limits, no time-outs, no retries, nothing compared or kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use leafwatch::sim::nth_user;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::IN_FLIGHT;
use crate::helper::{commands, say};
use crate::meter::Meter;

/// What is of use in an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "parsed, which is the work to be measured, and not used"
)]
struct Answer {
    id: String,
    created_time: String,
    status: String,
    client_environment: String,
    client_key: String,
    token_metadata: TokenMetadata,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct TokenMetadata {
    scopes: Vec<String>,
}

/// Makes a pass over all `fleet` credentials at each command, and says what it took.
pub(crate) fn play(fleet: u64, base_url: &str) {
    leafwatch::leaf::install_tls();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api = format!("{base_url}/services/usermanagement/api");
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(IN_FLIGHT)
        .tcp_nodelay(true)
        .build()
        .unwrap();
    let mut commands = commands();
    let password = commands.next().unwrap();
    let token: Arc<str> = runtime.block_on(login(&client, base_url, &password)).into();
    say(&());
    for _ in commands {
        let meter = Meter::start();
        runtime.block_on(pass(&client, &api, &token, fleet));
        say(&meter.took());
    }
}

async fn pass(client: &reqwest::Client, api: &str, token: &Arc<str>, fleet: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, api) = (client.clone(), api.to_owned());
        let (token, next) = (token.clone(), next.clone());
        workers.spawn(async move {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= fleet {
                    return;
                }
                let url = format!("{api}/users/{}/john-deere-credentials", nth_user(nth));
                let response = client.get(url).bearer_auth(&token).send().await.unwrap();
                let body = response.bytes().await.unwrap();
                let _: Answer = serde_json::from_slice(&body).unwrap();
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
}

async fn login(client: &reqwest::Client, base_url: &str, password: &str) -> String {
    let body = serde_json::json!({
        "username": "ops@example.com",
        "password": password,
        "rememberMe": "true",
    });
    let answer = client
        .post(format!("{base_url}/api/authenticate"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    answer["id_token"].as_str().unwrap().to_owned()
}
