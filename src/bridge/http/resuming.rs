//! Where a stream was when it ended, and when to ask for the rest of it.

use std::time::Duration;

use reqwest::header::HeaderValue;
use sse_stream::Sse;

/// How long to wait unless the server says.
const RETRY: Duration = Duration::from_secs(1);
/// What the server says is believed within these.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The longest event id that is sent back.
const ID_BYTES_MAX: usize = 1024;

/// How far a stream was read.
pub(super) struct Cursor {
    last_event: Option<HeaderValue>,
    retry: Duration,
    /// Streams since the last event that brought none.
    fruitless: u32,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { last_event: None, retry: RETRY, fruitless: 0 }
    }
}

impl Cursor {
    pub(super) fn pass(&mut self, event: &Sse) {
        if let Some(id) = &event.id {
            // Empty, it says that there is no resuming from here; too strange, it cannot be said.
            let id = Some(id).filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
            self.last_event = id.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        }
        if let Some(retry) = event.retry {
            self.retry = Duration::from_millis(retry).clamp(RETRY_MIN, RETRY_MAX);
        }
        self.fruitless = 0;
    }

    pub(super) fn last_event(&self) -> Option<&HeaderValue> {
        self.last_event.as_ref()
    }

    /// Waits for as long as the server wants, longer each time nothing comes of it, and says how
    /// many times that was.
    pub(super) async fn wait(&mut self) -> u32 {
        let wait = self.retry.saturating_mul(1 << self.fruitless.min(16)).min(RETRY_MAX);
        self.fruitless += 1;
        tokio::time::sleep(wait).await;
        self.fruitless
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_brings_nothing_is_asked_less_and_less_often() {
        let mut cursor = Cursor::default();
        let start = Instant::now();
        let mut elapsed = Vec::new();
        for _ in 0..7 {
            cursor.wait().await;
            elapsed.push(start.elapsed().as_secs());
        }
        assert_eq!(elapsed, [1, 3, 7, 15, 31, 61, 91]);
        cursor.pass(&Sse::default().retry(200).id("7"));
        assert_eq!(cursor.last_event().unwrap(), "7");
        let start = Instant::now();
        assert_eq!(cursor.wait().await, 1);
        assert_eq!(start.elapsed().as_millis(), 200);
        cursor.pass(&Sse::default().id(""));
        assert_eq!(cursor.last_event(), None);
    }
}
