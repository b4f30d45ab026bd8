//! Those who listen for changes and ask for the list whenever they hear of one: they always end up
//! with the list as it is.

use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Phase, caller::Caller};

/// Listens again and again, for a while each time, until the storm is over.
pub(super) async fn listen(mut caller: Caller, which: usize) {
    let storm = Arc::clone(&caller.storm);
    while storm.blows().await {
        let mut stream = storm.net.send(caller.listen()).await;
        let first = stream.next().await.expect("an acknowledgement or a refusal");
        if first.get("error").is_some() {
            storm.book().read(&first.to_string());
        } else {
            let end = Instant::now() + storm.paced(caller.chance.millis(500..8_000));
            let list = caller.list().await;
            storm.book().knows(caller.user, which, Some(list));
            while Instant::now() < end || storm.phase() == Phase::Calm {
                // In a calm one stays to the end of it, however long that is.
                let until = if storm.phase() == Phase::Calm { storm.soon() } else { end };
                let Ok(message) = timeout_at(until, stream.next()).await else { continue };
                let message = message.expect("the stream is open");
                assert_eq!(message["method"], "notifications/tools/list_changed", "{message}");
                let list = caller.list().await;
                let mut book = storm.book();
                book.saw("list_changed");
                book.knows(caller.user, which, Some(list));
            }
            storm.book().knows(caller.user, which, None);
        }
        drop(stream);
        let pause = caller.chance.millis(50..500);
        sleep(storm.paced(pause)).await;
    }
}
