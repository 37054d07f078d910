//! The page's address: free, or held by the daemon that has this database.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::leaf;
use crate::store::{Access, Db, Error};
use crate::view::doctor::Finding;
use crate::web;

const CHECK: &str = "page";

/// Whether the daemon has `web.listen`, or could have it.
pub(super) async fn address(config: &Config) -> Finding {
    let Some(wanted) = config.web.listen else {
        return Finding::skipped(CHECK, "web.listen is not set");
    };
    let error = match TcpListener::bind(wanted).await {
        Ok(_) => return Finding::ok(CHECK, format!("{wanted} is free for the daemon to take")),
        Err(error) => error,
    };
    let advice = match error.kind() {
        ErrorKind::AddrInUse if is_ours(config, wanted).await => {
            return Finding::ok(CHECK, format!("the daemon serves it at {wanted}"));
        }
        ErrorKind::AddrInUse => {
            let found = format!("another program, which cannot be known from here, has {wanted}");
            let advice = format!(
                "see who it is with: ss -ltnp 'sport = :{}'; stop it, or set web.listen to another port and restart",
                wanted.port()
            );
            return Finding::wrong(CHECK, found, advice);
        }
        ErrorKind::AddrNotAvailable => "set web.listen to an address that this machine has",
        ErrorKind::PermissionDenied => {
            "set web.listen to a port of 1024 or more; a proxy can stand before it"
        }
        _ => "set web.listen to an address and port that the service may use",
    };
    Finding::wrong(CHECK, format!("cannot listen at {wanted}: {error}"), advice)
}

/// Whether who answers there is the daemon that has this database.
async fn is_ours(config: &Config, address: SocketAddr) -> bool {
    match mark(config) {
        Ok(Some(mark)) => answering(address).await == Some(mark),
        Ok(None) | Err(_) => false,
    }
}

fn mark(config: &Config) -> Result<Option<String>, Error> {
    Db::beside(&config.database.path, Access::Read)?.read(|tx| tx.mark())
}

/// The mark of the database whose daemon answers there.
async fn answering(address: SocketAddr) -> Option<String> {
    const WITHIN: Duration = Duration::from_secs(5);
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    leaf::install_tls();
    let client = reqwest::Client::builder().no_proxy().timeout(WITHIN);
    let url = format!("http://{}/healthz", SocketAddr::new(host, address.port()));
    let answer = client.build().ok()?.get(url).send().await.ok()?;
    Some(answer.headers().get(web::MARK)?.to_str().ok()?.to_owned())
}
