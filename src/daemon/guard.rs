//! Looks whether the files of the database are still those that are open.
//!
//! What was deleted or replaced meanwhile is written on in vain: it is saved beside its path, told from memory, and the
//! daemon ends. While it cannot be saved the daemon lives on, for it holds all that is left.

use std::sync::Arc;
use std::time::Duration;

use super::alarm::Alarm;
use super::context::Context;
use crate::mail::send::Deadlines;
use crate::store::{Displaced, Lock};
use crate::view::words;
use crate::vitals::{Fault, Standing};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is moved away and back at once is no loss.
const CONFIRM: Duration = Duration::from_secs(5);
const SAVE_EVERY: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_secs(30);
/// A mail server that takes nothing must not keep the daemon from beginning anew: nobody watches meanwhile.
const TELL_FOR: Duration = Duration::from_secs(120);

/// Ends at the context's stop; before it only where a file is displaced and all was done about it: then the daemon is to
/// end too.
pub async fn watch(context: Context, lock: Arc<Lock>, deadlines: Deadlines) {
    tokio::select! {
        () = context.stop.cancelled() => {}
        () = until_displaced(&context, &lock, deadlines) => {}
    }
}

async fn until_displaced(context: &Context, lock: &Arc<Lock>, deadlines: Deadlines) {
    let displaced = displaced(context, lock).await;
    let mut alarm = Alarm::beside(lock.path(), ".displaced", deadlines);
    let standing = loop {
        match saved(context, lock, &displaced).await {
            Ok(text) => break note(context, text),
            Err(text) => {
                let (standing, now) = (note(context, text), context.clock.now());
                if alarm.is_due(&context.clock) {
                    alarm.tell(context, &standing, now).await;
                }
            }
        }
        tokio::time::sleep(SAVE_EVERY).await;
    };
    // What is read, packed and sent from now on would be known only to what is lost, and be told once more.
    context.work.cancel();
    let telling = async {
        loop {
            let now = context.clock.now();
            if alarm.is_told(&context.clock) || alarm.tell(context, &standing, now).await {
                return;
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    };
    if tokio::time::timeout(TELL_FOR, telling).await.is_err() {
        tracing::error!("no server took the mail about the database");
    }
}

/// Waits until a file is displaced, and stays so.
async fn displaced(context: &Context, lock: &Lock) -> Displaced {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(displaced) = lock.displaced() else {
            continue;
        };
        note(context, displaced.to_string());
        tokio::time::sleep(CONFIRM).await;
        if let Some(displaced) = lock.displaced() {
            return displaced;
        }
        context.vitals.fault_over(Fault::Displaced);
        tracing::info!("it is back in its place: {displaced}");
    }
}

/// Saves what is lost, and says what was done and what there is to do; or why it cannot be saved.
async fn saved(
    context: &Context,
    lock: &Arc<Lock>,
    displaced: &Displaced,
) -> Result<String, String> {
    if !displaced.loses_something() {
        return Ok(format!(
            "{displaced}\nNothing is lost. Leafwatch ends, so that no second one can begin beside it; its service \
             manager starts it again. Let nothing tidy up in that folder."
        ));
    }
    let now = context.clock.now();
    let rescue = match context.writer.rescue(lock.clone(), now).await {
        Ok(rescue) => rescue,
        Err(error) => {
            return Err(format!(
                "{displaced}\nWhat is open cannot be saved beside it ({}), and would be lost if Leafwatch stopped: \
                 give it back its folder, and room. It is tried again every 10 seconds.",
                words::with_causes(&error)
            ));
        }
    };
    let (database, rescue) = (lock.path().display(), rescue.display());
    let go_on = match displaced.is_database() {
        true => format!(
            "To go on with it: mv {rescue} {database}, and start Leafwatch. To begin anew without its history: move it \
             elsewhere. Leafwatch does not begin an empty database beside it."
        ),
        false => "Started again, it goes on with the database as it stands.".to_owned(),
    };
    Ok(format!(
        "{displaced}\nAll that was open is saved in {rescue}, and Leafwatch ends.\n{go_on}"
    ))
}

/// Keeps in mind what is wrong, and logs it where it is news.
fn note(context: &Context, text: String) -> Standing {
    let now = context.clock.now();
    let known = context.vitals.fault(Fault::Displaced);
    if known.is_none_or(|known| known.text != text) {
        tracing::error!("{}", text.replace('\n', "; "));
    }
    context
        .vitals
        .fault_seen(Fault::Displaced, text.clone(), now);
    Standing { since: now, text }
}
