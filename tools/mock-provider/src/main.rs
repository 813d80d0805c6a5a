//! Runs the mock by itself: `mock-provider --listen 127.0.0.1:0` prints where it listens and answers until it is told to stop.

use std::io::{Read, Write};
use std::net::SocketAddr;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A scriptable upstream that speaks OpenAI's chat dialect.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Threads that answer.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Stops when standard input ends, so that it never outlives the test that started it.
    #[arg(long)]
    until_stdin_ends: bool,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let mut builder =
        if arguments.threads <= 1 { tokio::runtime::Builder::new_current_thread() } else { tokio::runtime::Builder::new_multi_thread() };
    builder.worker_threads(arguments.threads.max(1)).enable_all().build()?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    let running = mock_provider::start(arguments.listen).await?;
    writeln!(std::io::stdout(), "listening on http://{}", running.address)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ended(), if arguments.until_stdin_ends => {}
    }
    running.stop().await;
    // A thread may still be reading standard input: leave without waiting for it.
    std::process::exit(0);
}

async fn stdin_ended() {
    let reading = tokio::task::spawn_blocking(|| {
        let mut sink = [0; 256];
        while matches!(std::io::stdin().read(&mut sink), Ok(count) if count > 0) {}
    });
    drop(reading.await);
}
