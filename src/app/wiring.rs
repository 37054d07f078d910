//! From the config to what each part needs. Secrets stay in their files until they are asked for.

use std::sync::Arc;

use super::Pace;
use crate::config::{self, Config, SecretFault, SecretFile};
use crate::daemon::settings::{Keep, Settings};
use crate::leaf::{self, SecretSource};
use crate::mail::letter::Sender;
use crate::mail::send::{Deadlines, Login, SmtpSettings, Tls, Transport};
use crate::web;

/// What the loops need.
pub fn settings(config: &Config, pace: Pace) -> Settings {
    let email = &config.email;
    Settings {
        policy: config.policy.clone(),
        watch: config.watch.clone(),
        sender: Sender {
            instance: config.instance.clone(),
            daemon: config.policy.daemon.clone(),
            from_name: email.from.name.clone(),
            from: email.from.address.clone(),
            reply_to: email.reply_to.as_ref().map(|sender| sender.address.clone()),
            public_url: config.web.public_url.clone(),
        },
        envelope_from: email
            .bounce_to
            .clone()
            .unwrap_or_else(|| email.from.address.clone()),
        transport: transport(&email.transport, pace.deadlines.unwrap_or_default()),
        max_in_flight: config.leaf.max_in_flight,
        sweep_takes: config.pace_estimate().sweep.unwrap_or_default(),
        configured_token: matches!(config.leaf.auth, config::Auth::Token(_)),
        keep: Keep {
            events: config.database.keep_events,
            history: config.database.keep_history,
        },
    }
}

/// What the pages need.
pub(super) fn web(config: &Config) -> web::Settings {
    web::Settings {
        instance: config.instance.clone(),
        policy: config.policy.clone(),
        watch: config.watch.clone(),
        web: config.web.clone(),
        request_timeout: config.leaf.timeout,
    }
}

/// What the client of Leaf needs.
pub fn leaf(config: &Config, pace: Pace) -> leaf::Settings {
    let config::Leaf {
        base_url,
        auth,
        max_requests_per_second,
        max_in_flight,
        timeout,
    } = &config.leaf;
    let auth = match auth {
        config::Auth::Password { username, password } => leaf::Auth::Password {
            username: username.clone(),
            password: source(password.clone()),
        },
        config::Auth::Token(file) => leaf::Auth::Token(source(file.clone())),
    };
    leaf::Settings {
        base_url: base_url.clone(),
        auth,
        max_requests_per_second: *max_requests_per_second,
        max_in_flight: *max_in_flight,
        timeout: *timeout,
        first_pause: pace.first_pause.unwrap_or(leaf::Settings::FIRST_PAUSE),
    }
}

fn source(file: SecretFile) -> SecretSource {
    SecretSource::new(move || file.read().map_err(|fault| for_people(&fault)))
}

fn for_people(fault: &SecretFault) -> String {
    format!("{fault}; {}", fault.advice())
}

fn transport(transport: &config::Transport, deadlines: Deadlines) -> Transport {
    match transport {
        config::Transport::File { directory } => Transport::Folder(directory.clone()),
        config::Transport::Smtp(smtp) => Transport::Smtp(SmtpSettings {
            host: smtp.host.clone(),
            port: smtp.port,
            tls: match smtp.tls {
                config::Tls::StartTls => Tls::StartTls,
                config::Tls::Implicit => Tls::Implicit,
                config::Tls::None => Tls::None,
            },
            login: smtp
                .username
                .clone()
                .zip(smtp.password.clone())
                .map(|(username, file)| Login {
                    username,
                    password: Arc::new(move || file.read().map_err(|fault| for_people(&fault))),
                }),
            extra_roots: Vec::new(),
            deadlines,
        }),
    }
}
