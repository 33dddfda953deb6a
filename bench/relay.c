/*
 * The floor of proxies: accepts connections, opens one to the origin for each, and passes on what either side sends, one recv()
 * and one send() at a time. It reads nothing of it.
 *
 *   gcc -O2 -o relay relay.c && ./relay <port of the origin>
 *
 * It prints "http://127.0.0.1:<port>/" and ends with its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_files = 262144, listener_mark = -1, stdin_mark = -2 };

/* The other side of each socket; 0: none. */
static int peer[max_files];

static void watch(int epoll, int fd, int mark) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = mark};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void end(int fd) {
  int other = peer[fd];
  peer[fd] = peer[other] = 0;
  close(fd);
  close(other);
}

/* A socket that takes no more is waited for, so that nothing is lost. */
static int send_all(int fd, const char *bytes, ssize_t length) {
  while (length > 0) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes += n;
      length -= n;
    } else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, 1000);
    } else {
      return -1;
    }
  }
  return 0;
}

static void pass(int fd) {
  static char bytes[65536];
  /* Closed by an event before this one. */
  if (peer[fd] == 0) return;
  ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || send_all(peer[fd], bytes, n)) end(fd);
}

static void pair(int epoll, int client, const struct sockaddr_in *target) {
  int yes = 1, origin = socket(AF_INET, SOCK_STREAM, 0);
  if (origin < 0 || connect(origin, (const struct sockaddr *)target, sizeof *target)) {
    close(client);
    if (origin >= 0) close(origin);
    return;
  }
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(origin, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  peer[client] = origin;
  peer[origin] = client;
  watch(epoll, client, client);
  watch(epoll, origin, origin);
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "relay <port of the origin>\n"), 2;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max < max_files ? files.rlim_max : max_files;
  setrlimit(RLIMIT_NOFILE, &files);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, target = address;
  target.sin_port = htons(atoi(argv[1]));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 65535)) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  fflush(stdout);
  int epoll = epoll_create1(0);
  watch(epoll, listener, listener_mark);
  watch(epoll, STDIN_FILENO, stdin_mark);
  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int mark = events[i].data.fd;
      if (mark == stdin_mark) return 0;
      if (mark == listener_mark)
        for (int fd; (fd = accept4(listener, NULL, NULL, 0)) >= 0;) pair(epoll, fd, &target);
      else
        pass(mark);
    }
  }
}
