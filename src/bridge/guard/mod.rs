//! `mcp-hub guard`: the process between a bridge and a server it starts, which sees to it that
//! nothing of the server outlives the bridge, however that ends.
//!
//! A bridge that is killed cannot tidy up, but its end of a pipe closes. The other end is the
//! server's own input; the guard has it too, reads nothing from it and waits for it to hang up. So
//! it makes no difference whether the server reads its input, or has closed it.

mod family;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write, stdin},
    os::unix::process::ExitStatusExt,
    process::{Command, ExitCode, ExitStatus},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    stdio::dup2_stdout,
};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::Duration,
};

use self::family::Family;

/// How long a server may take to end when its input has ended, and again when it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// What comes first.
enum First {
    /// The server ended by itself.
    End(ExitStatus),
    /// The bridge is gone, or done with the server.
    HangUp,
    /// Somebody asked the guard to end.
    Asked,
}

/// Runs `command` until it ends, its input does or we are asked to. Gives the code a shell would
/// give, or 0 if the command did not end by itself.
pub async fn run(command: &[OsString]) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        anyhow::bail!("there is no command to run");
    };
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut family = match Family::start(Command::new(program).args(arguments)) {
        Ok(family) => family,
        Err(error) => {
            say(&format!("cannot start {}: {error}", program.display()));
            return Ok(ExitCode::from(127));
        }
    };
    let first = match prepare() {
        Ok(hang_up) => select! {
            status = family.server_ended() => First::End(status),
            _ = hang_up => First::HangUp,
            _ = terminate.recv() => First::Asked,
            _ = interrupt.recv() => First::Asked,
        },
        Err(error) => {
            say(&format!("the server cannot be guarded: {error}"));
            First::Asked
        }
    };
    let code = match first {
        First::End(status) => {
            say(&format!("the server ended: {status}"));
            code(status)
        }
        First::HangUp => {
            if !family.server_ends_within(GRACE).await {
                family.terminate();
                family.server_ends_within(GRACE).await;
            }
            ExitCode::SUCCESS
        }
        // The bridge still holds the input open: the server does not learn of this by it.
        First::Asked => {
            family.terminate();
            family.server_ends_within(GRACE).await;
            ExitCode::SUCCESS
        }
    };
    family.end().await;
    Ok(code)
}

/// Lets go of the server's output, so that whoever reads it sees the server close it, and waits for
/// the end of its input.
fn prepare() -> io::Result<oneshot::Receiver<()>> {
    dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    let (tell, hang_up) = oneshot::channel();
    let watch = move || {
        until_hang_up();
        tell.send(()).ok();
    };
    thread::Builder::new().name("input".into()).spawn(watch)?;
    Ok(hang_up)
}

/// Waits until nobody can write to our input any more. What is in it is the server's.
fn until_hang_up() {
    let input = stdin();
    // Linux tells of this unasked, others do not.
    let mut watched = [PollFd::new(&input, PollFlags::HUP)];
    loop {
        match poll(&mut watched, None) {
            Ok(_) if watched[0].revents().is_empty() => {}
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn say(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}
