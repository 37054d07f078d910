//! The weekly digest to the operators: made at `schedule.digest`, kept like any other mail, opened by no incident.

use jiff::Timestamp;

use super::pack::{PackError, Packer};
use crate::mail::{DigestLetter, compose_digest};
use crate::rules::notify;
use crate::store::{NewMessage, Scene, Tx};

/// Keeps the digest of the time since `since`, with a delivery to each operator. It waits for no quiet window: it is at
/// its own time.
pub(super) fn keep(
    tx: &Tx<'_>,
    packer: &Packer<'_>,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), PackError> {
    let policy = packer.bench.policy;
    let scene = Scene {
        watch: packer.bench.watch,
        policy,
        now,
    };
    let message_id = packer.message_id(now, "digest");
    let letter = DigestLetter {
        head: packer.head.clone(),
        to: policy.alerts.operators.clone(),
        message_id,
        zone: policy.schedules.zone.clone(),
        digest: tx.digest(&scene, since)?,
    };
    let mail = compose_digest(&letter)?;
    let addresses: Vec<String> = letter.to.iter().map(ToString::to_string).collect();
    let new = NewMessage {
        message_id: &letter.message_id,
        subject: &mail.subject,
        bytes: &mail.bytes,
        entries: &[],
        causes: &[],
        addresses: &addresses,
        give_up_at: notify::give_up_at(now),
    };
    tx.keep_message(&new, now)?;
    Ok(())
}
