//! Requests on one connection, some of them answered before they were read; it looks at bytes, not at a client's retries.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{REST_BYTES_MAX, told};

/// A server that reads what comes to `/read` and nothing of the rest.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/read", post(async |text: String| text))
        .route("/refused", post(async || "no"))
        .layer(from_fn(told));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
}

/// The next answer, up to the end of its body, which is two or four bytes.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let reading = async {
        let mut byte = [0; 1];
        while !text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            body.len() == length.parse::<usize>().unwrap()
        }) {
            stream.read_exact(&mut byte).await.unwrap();
            text.push(char::from(byte[0]));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap();
    text
}

#[tokio::test]
async fn a_short_rest_is_read_and_the_connection_stays() {
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    for _ in 0..3 {
        for path in ["/read", "/refused"] {
            // Head and body apart, as many clients send them.
            stream.write_all(head(path, 4).as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(b"body").await.unwrap();
            let answer = answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("close"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_rest_that_does_not_come_ends_the_connection_and_the_answer_says_so() {
    for (length, sent) in [(4, 0), (2 * REST_BYTES_MAX, REST_BYTES_MAX + 1)] {
        let mut stream = TcpStream::connect(server().await).await.unwrap();
        stream.write_all(head("/refused", length).as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; sent]).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_not_asked() {
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    let head = head("/refused", 4).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn what_has_no_body_is_left_alone() {
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    for _ in 0..2 {
        stream.write_all(head("/refused", 0).as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.ends_with("no") && !answer.contains("close"), "{answer}");
    }
}
