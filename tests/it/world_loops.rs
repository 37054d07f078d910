//! The whole daemon with its loops, by the machine's clock.

use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::sim::RequestKind;

use crate::support::smtp::{Act, At};
use crate::support::world::{Setup, World};

/// How long anything may take before the test is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn while_the_mail_server_hangs_at_any_phase_sweeps_go_on_and_a_stop_is_quick() {
    let phases = [
        At::Greeting,
        At::Ehlo,
        At::Auth,
        At::MailFrom,
        At::RcptTo,
        At::Data,
        At::Body,
    ];
    std::thread::scope(|scope| {
        for at in phases {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(hangs_at(at));
            });
        }
    });
}

async fn hangs_at(at: At) {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms", "Blue Silo"])).await;
    world.may_end_untold();
    world.smtp.always(at, Act::Tarpit);
    let daemon = world.starts_loops().await;
    world.revokes_access("Hillside Farms");
    let said = async {
        while world.smtp.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, said).await;
    waited.unwrap_or_else(|_| panic!("{at:?}: nobody tried to send"));
    // Four more sweeps of two credentials, one a second.
    world.leaf.forget_requests();
    let watch = Clock::system();
    let swept = world
        .leaf
        .until(|asked| asked.of(RequestKind::Reading) >= 8);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    let took = watch.monotonic();
    assert!(
        took < Duration::from_secs(8),
        "{at:?}: 4 sweeps took {took:?}"
    );
    assert_eq!(world.smtp.accepted(), [], "{at:?}");
    let watch = Clock::system();
    daemon.stop().await;
    let took = watch.monotonic();
    assert!(
        took < Duration::from_secs(5),
        "{at:?}: the stop took {took:?}"
    );
}

#[tokio::test]
async fn a_stop_lets_go_of_everything() {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let daemon = world.starts_loops().await;
    let swept = world
        .leaf
        .until(|asked| asked.of(RequestKind::Reading) >= 2);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    daemon.stop().await;
    leafwatch::store::Db::open(&world.database()).unwrap();
    assert_eq!(
        world.asks("SELECT count(*) FROM run WHERE stopped_at IS NULL"),
        ["0"]
    );
}

#[tokio::test]
async fn a_writer_that_dies_ends_the_daemon() {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let mut daemon = world.starts_loops().await;
    let died = daemon
        .context
        .writer
        .write(|_| -> Result<(), leafwatch::store::Error> { panic!("this is the test's own") })
        .await;
    assert!(
        matches!(died, Err(leafwatch::store::Error::Stopped)),
        "{died:?}"
    );
    tokio::time::timeout(PATIENCE, daemon.failed())
        .await
        .unwrap();
    daemon.stop().await;
    world.may_see_storage_faults();
}
