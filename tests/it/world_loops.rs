//! The whole daemon with its loops, by the machine's clock.

use std::time::Duration;

use crate::support::faulty_leaf::{Fault, Scope, When};
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
    // Four more sweeps of two credentials.
    world.leaf.forget_requests();
    let swept = world.leaf.until(|asked| asked.readings >= 8);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    assert_eq!(world.smtp.accepted(), [], "{at:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_stop_lets_go_of_everything() {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let daemon = world.starts_loops().await;
    let swept = world.leaf.until(|asked| asked.readings >= 2);
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

#[tokio::test]
async fn a_panic_in_a_sweep_ends_the_daemon_in_place_of_leaving_it_blind() {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let mut daemon = world.starts_loops().await;
    world.log.trips("whole: 1 of 1 answered");
    tokio::time::timeout(PATIENCE, daemon.failed())
        .await
        .unwrap();
    daemon.stop().await;
    // Started again, as systemd would, all is as before.
    world.revokes_access("Hillside Farms");
    let daemon = world.starts_loops().await;
    let told = async {
        while world.smtp.taken() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    daemon.stop().await;
    world.one_mail_says("INVALID: Hillside Farms");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_when_its_user_is_taken_out_judges_nothing() {
    let mut setup = Setup::quick(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.schedule = "sweep = \"1h\"\nevents = \"1h\"".to_owned();
    let mut world = World::in_real_time(setup).await;
    world.revokes_access("Hillside Farms");
    let slow = Scope::Credential(world.grower("Hillside Farms"));
    let late = Fault::Slow(Duration::from_millis(1500));
    world.leaf.fault(slow, late, When::next(1));
    let daemon = world.starts_loops().await;
    let asked = world.leaf.until(|asked| asked.readings >= 2);
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    world.setup.grower_mut("Hillside Farms").watched = false;
    let config = world.config();
    daemon.reload(config.into()).await.unwrap();
    // The sweep under way is called off; the next one goes round who is left.
    let swept = async {
        while world
            .asks("SELECT 1 FROM sweep WHERE sight = 0 AND asked = 1")
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    daemon.stop().await;
    assert_eq!(world.steps(), [""; 0]);
    assert_eq!(world.asks("SELECT count(*) FROM span"), ["1"]);
    world.nothing_more();
}
