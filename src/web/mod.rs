//! Who looks: people and machines that watch the hub.

mod status;

pub use self::status::Status;
