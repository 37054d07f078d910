//! The role of the pipeline: everything that a daemon opens, and its real sweep, one at each command.

use std::path::Path;
use std::sync::Arc;

use leafwatch::app::{Patience, Station};
use leafwatch::clock::Clock;
use leafwatch::config::{self, Variables};
use leafwatch::daemon::deliver;
use leafwatch::daemon::sweep::{self, Scope};
use leafwatch::model::SweepEnd;
use leafwatch::store::Db;

use crate::helper::{commands, say};
use crate::meter::{self, Meter};

/// Works by the config at `file`. Commands: `sweep`; `sweep and pack`, which goes on until nothing is left to pack;
/// `bytes` of the database with its log folded in; `peak` memory in KiB.
pub(crate) fn play(file: &Path) {
    leafwatch::leaf::install_tls();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Arc::new(config::load(file, &Variables::default()).unwrap());
    let db = Db::open(&config.database.path).unwrap();
    let opened = Station::open(db, config.clone(), Clock::system(), Patience::default());
    let station = runtime.block_on(opened).unwrap();
    for command in commands() {
        match command.as_str() {
            "sweep" => {
                let meter = Meter::start();
                runtime.block_on(sweep(&station));
                say(&meter.took());
            }
            "sweep and pack" => {
                let meter = Meter::start();
                runtime.block_on(async {
                    sweep(&station).await;
                    let (made, next) = deliver::pack(&station.context).await.unwrap();
                    assert!(
                        made > 0 && next.is_none(),
                        "{made} mails packed, the next notice is due at {next:?}"
                    );
                });
                say(&meter.took());
            }
            "bytes" => {
                runtime
                    .block_on(station.context.writer.checkpoint())
                    .unwrap();
                say(&meter::file_bytes(&config.database.path));
            }
            "peak" => say(&meter::peak_kib()),
            other => panic!("what is {other}?"),
        }
    }
    runtime.block_on(station.close());
}

async fn sweep(station: &Station) {
    let ended = sweep::run(&station.context, Scope::All, station.urgent())
        .await
        .unwrap();
    assert_eq!(ended.end, SweepEnd::Whole);
}
