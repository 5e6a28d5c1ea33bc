"""What several tests share: hosts and servers, drawn people, random weights, the browser."""
