//! A mail server that takes everything, and says when it did. It knows no more of SMTP than that.

use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Each accepted mail, told right after its final 250 was written.
pub(crate) type Accepted = mpsc::UnboundedReceiver<()>;

/// Opens one on a free port of the loopback.
pub(crate) async fn open() -> std::io::Result<(u16, Accepted)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let (accepted, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(serve(caller, accepted.clone()));
        }
    });
    Ok((port, heard))
}

/// One call; ends with it.
async fn serve(caller: TcpStream, accepted: mpsc::UnboundedSender<()>) -> std::io::Result<()> {
    let mut caller = BufReader::new(caller);
    caller.write_all(b"220 postbox\r\n").await?;
    let mut inside_mail = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        if caller.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match (inside_mail, &line[..], &verb[..]) {
            (true, b".\r\n", _) => {
                inside_mail = false;
                caller.write_all(b"250 taken\r\n").await?;
                let _ = accepted.send(());
                continue;
            }
            (true, ..) => continue,
            (_, _, b"DATA") => {
                inside_mail = true;
                b"354 go on\r\n"
            }
            (_, _, b"QUIT") => b"221 bye\r\n",
            _ => b"250 yes\r\n",
        };
        caller.write_all(reply).await?;
    }
}
