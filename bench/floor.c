/*
 * The lower bound: accepts connections, answers each with the head of an event stream, and on command sends events to all of them,
 * with one send() per event and connection. It keeps no history and checks nothing.
 *
 *   gcc -O2 -o floor floor.c && ./floor
 *
 * It prints "http://127.0.0.1:<port>/" and reads commands from its standard input: "paced <rate> <count> <size>",
 * "burst <count> <size>", "stop". Each except "stop" is answered, once everything is sent, with "done <last> <start in us>".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

enum { max_clients = 65536, listener_mark = -1, stdin_mark = -2 };

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";

static int clients[max_clients];
static int client_count;
static long last;

/* The command under way. */
static long left;
static double rate;
static int size = 200;
static uint64_t started, sent;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One event, framed as a chunk: as long as what Spillway sends for the same event. */
static int encode(char *out) {
  static char block[70000], data[66000];
  unsigned long long time = rate > 0 ? now_ns() : started;
  int length = snprintf(data, sizeof data, "{\"n\":%ld,\"t\":%llu,\"p\":\"", ++last, time);
  while (length < size - 2) data[length++] = 'x';
  memcpy(data + length, "\"}", 3);
  int total = snprintf(block, sizeof block, "id: 0123456789.%ld\ndata: %s\n\n", last, data);
  return sprintf(out, "%x\r\n%s\r\n", total, block);
}

/* A socket that takes no more is waited for, so that nothing is lost. */
static void send_all(int fd, const char *bytes, int length) {
  while (length > 0) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes += n;
      length -= n;
    } else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, 1000);
    } else {
      return;
    }
  }
}

static void emit(long count) {
  static char chunk[70100];
  for (; count > 0; count--, left--) {
    int length = encode(chunk);
    for (int i = 0; i < client_count; i++) send_all(clients[i], chunk, length);
  }
}

static void done(void) {
  printf("done %ld %.0f\n", last, started / 1000.0);
  fflush(stdout);
}

/* Emits what is due; returns how many milliseconds to wait for events of other kinds. */
static int advance(void) {
  if (left <= 0) return -1;
  if (rate <= 0) {
    emit(left);
  } else {
    long due = (long)((now_ns() - started) * rate / 1e9) + 1 - (long)sent;
    if (due > left) due = left;
    if (due > 0) {
      sent += due;
      emit(due);
    }
  }
  if (left <= 0) {
    done();
    return -1;
  }
  /* To look more often would cost more than what is measured: each look wakes the process. */
  long wait = (long)((sent / rate * 1e9 - (now_ns() - started)) / 1e6);
  return wait > 1 ? (int)wait : 1;
}

static void command(const char *line) {
  if (sscanf(line, "paced %lf %ld %d", &rate, &left, &size) == 3 ||
      (rate = 0, sscanf(line, "burst %ld %d", &left, &size) == 2)) {
    started = now_ns();
    sent = 0;
  } else if (left > 0) { /* stop */
    left = 0;
    done();
  }
}

/* The request is not looked at: whoever connects gets the stream. */
static void answer(int epoll, int fd) {
  char request[4096];
  if (recv(fd, request, sizeof request, 0) <= 0) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
    return;
  }
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  send_all(fd, head, sizeof head - 1);
  if (client_count < max_clients) clients[client_count++] = fd;
}

static void watch(int epoll, int fd, int mark) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = mark};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 65535)) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  fflush(stdout);
  int epoll = epoll_create1(0);
  watch(epoll, listener, listener_mark);
  watch(epoll, STDIN_FILENO, stdin_mark);
  char line[256];
  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(epoll, events, 256, advance());
    for (int i = 0; i < count; i++) {
      int mark = events[i].data.fd;
      if (mark == stdin_mark) {
        ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
        if (n <= 0) return 0;
        line[n] = 0;
        command(line);
      } else if (mark == listener_mark) {
        for (int fd; (fd = accept4(listener, NULL, NULL, 0)) >= 0;) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          watch(epoll, fd, fd);
        }
      } else {
        answer(epoll, mark);
      }
    }
  }
}
