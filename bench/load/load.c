/*
 * The load generator of the benchmarks: one measurement, one line of JSON. One thread; the CPU time of the processes
 * under test is read at the same moments as the clock, so that both cover exactly the window that is counted.
 *
 *   load MODE key=value …
 *   MODE: connections | pingpong | stream | idle
 *   to=ADDRESS:PORT from=ADDRESS proxy=PID[,PID …] server=PID   where, and whose CPU time
 *   resume=1                                                    TLS: resumes a session once there is one
 *   connections: concurrency, warmup, warmup_ms, ms             connect, 100 bytes each way, FIN both ways
 *   pingpong:    connections, warmup, warmup_ms, ms             100 bytes there and back, over and over
 *                (the warm-up is that many of them, and takes no longer than warmup_ms)
 *   stream:      streams, bytes (in total and each way), direction=S|K|B
 *   idle:        pairs                                          one exchange on each, then they stay until stdin ends
 */
#include "common.h"

#define MESSAGE_BYTES 100
#define DRAIN_NS 3000000000
/* A measurement that makes no progress for this long is given up; its connections count as errors. */
#define STUCK_NS 10000000000

static struct {
  const char *mode;
  struct sockaddr_in to, from;
  pid_t proxies[64], server;
  int proxies_count;
  long concurrency, warmup_ms, ms, pairs, streams, resume;
  uint64_t bytes, warmup;
  char direction;
} options = {.concurrency = 64, .warmup = 1000, .warmup_ms = 5000, .ms = 2000, .pairs = 1000, .streams = 1, .direction = 'S'};

enum state { NONE, CONNECTING, SHAKING, EXCHANGING, STREAMING, COUNTING, RESTING, CLOSING };

struct slot {
  struct wire wire;
  enum state state;
  uint64_t number;
  int64_t sent_at;
  size_t got;
  uint64_t to_send, to_take;
  char message[MESSAGE_BYTES];
};

static int epoll;
static struct slot *slots;
static long alive;
static uint64_t numbers, errors;
static char first_error[128];

static struct sockaddr_in address(const char *text) {
  struct sockaddr_in where = {.sin_family = AF_INET};
  char host[64];
  snprintf(host, sizeof host, "%s", text);
  char *colon = strchr(host, ':');
  if (colon != NULL) {
    *colon = 0;
    where.sin_port = htons((uint16_t)atoi(colon + 1));
  }
  if (inet_pton(AF_INET, host, &where.sin_addr) != 1) die(text);
  return where;
}

static void proxies(char *list) {
  for (char *at = strtok(list, ","); at != NULL && options.proxies_count < 64; at = strtok(NULL, ","))
    if (atoi(at) > 0) options.proxies[options.proxies_count++] = atoi(at);
}

static void parse(int argc, char **argv) {
  if (argc < 2) die("no mode");
  options.mode = argv[1];
  for (int i = 2; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (value == NULL) die(argv[i]);
    *value++ = 0;
    const char *key = argv[i];
    if (!strcmp(key, "to")) options.to = address(value);
    else if (!strcmp(key, "from")) options.from = address(value);
    else if (!strcmp(key, "proxy")) proxies(value);
    else if (!strcmp(key, "resume")) options.resume = atol(value);
    else if (!strcmp(key, "server")) options.server = atoi(value);
    else if (!strcmp(key, "concurrency") || !strcmp(key, "connections")) options.concurrency = atol(value);
    else if (!strcmp(key, "warmup")) options.warmup = strtoull(value, NULL, 10);
    else if (!strcmp(key, "warmup_ms")) options.warmup_ms = atol(value);
    else if (!strcmp(key, "ms")) options.ms = atol(value);
    else if (!strcmp(key, "pairs")) options.pairs = atol(value);
    else if (!strcmp(key, "streams")) options.streams = atol(value);
    else if (!strcmp(key, "bytes")) options.bytes = strtoull(value, NULL, 10);
    else if (!strcmp(key, "direction")) options.direction = value[0];
    else die(key);
  }
}

/* The window that is measured: what the clock and the CPU clocks said at its edges. */

struct edge {
  int64_t time, proxy, user, system, server, self, busy, stolen;
};

/* Adds the time of a process in user and kernel mode: all threads, those that have ended too; in ticks of 10 ms. */
static void modes(pid_t pid, struct edge *edge) {
  char path[32], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  /* The second field is a name, which may have anything in it but ends with the last bracket. */
  char *rest = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
  long user, system;
  if (rest != NULL && sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %ld", &user, &system) == 2) {
    edge->user += user;
    edge->system += system;
  }
  fclose(file);
}

/* What the whole machine was busy with, in nanoseconds, at the system's resolution of some milliseconds. */
static void machine(struct edge *edge) {
  unsigned long long user = 0, nice = 0, system = 0, idle, iowait, irq = 0, softirq = 0, steal = 0;
  FILE *file = fopen("/proc/stat", "r");
  if (file == NULL) return;
  if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq,
             &steal) == 8) {
    long tick = 1000000000 / sysconf(_SC_CLK_TCK);
    edge->busy = (int64_t)(user + nice + system + irq + softirq) * tick;
    edge->stolen = (int64_t)steal * tick;
  }
  fclose(file);
}

static struct edge edge_now(void) {
  struct edge edge = {0};
  machine(&edge);
  edge.time = now_ns();
  for (int i = 0; i < options.proxies_count; i++) {
    edge.proxy += cpu_ns(options.proxies[i]);
    modes(options.proxies[i], &edge);
  }
  edge.server = options.server > 0 ? cpu_ns(options.server) : 0;
  edge.self = cpu_ns(getpid());
  return edge;
}

static void print_window(struct edge begin, struct edge end) {
  int64_t user = end.user - begin.user, ticks = user + end.system - begin.system, proxy = end.proxy - begin.proxy;
  printf("\"wall_ns\":%lld,\"proxy_cpu_ns\":%lld,\"proxy_user_ns\":%lld,\"server_cpu_ns\":%lld,\"load_cpu_ns\":%lld,"
         "\"machine_busy_ns\":%lld,\"machine_stolen_ns\":%lld,",
         (long long)(end.time - begin.time), (long long)proxy,
         (long long)(ticks > 0 ? (double)proxy * (double)user / (double)ticks : 0), (long long)(end.server - begin.server),
         (long long)(end.self - begin.self), (long long)(end.busy - begin.busy), (long long)(end.stolen - begin.stolen));
}

static void print_errors(void) {
  for (char *at = first_error; *at != 0; at++)
    if (*at == '"' || *at == '\\') *at = '\'';
  printf("\"errors\":%llu,\"first_error\":\"%s\"}\n", (unsigned long long)errors, first_error);
  fflush(stdout);
}

/* Slots */

static void vacate(struct slot *s) {
  if (s->state == NONE) return;
  wire_close(&s->wire);
  s->state = NONE;
  alive--;
}

static void fail(struct slot *s, const char *what, int code) {
  if (errors++ == 0) {
    if (code == 0) snprintf(first_error, sizeof first_error, "%s", what);
    else snprintf(first_error, sizeof first_error, "%s: %s", what, strerror(code));
  }
  /* A reset, so that a connection that went wrong leaves nothing behind for the next measurement. */
  struct linger linger = {.l_onoff = 1};
  setsockopt(s->wire.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  vacate(s);
}

static void open_slot(struct slot *s) {
  int on = 1;
  s->number = numbers++;
  s->got = 0;
  s->to_send = s->to_take = 0;
  s->wire.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->wire.fd < 0) die("socket");
  setsockopt(s->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  wire_wrap(&s->wire);
  if (options.from.sin_addr.s_addr != 0) {
    /* The port is chosen at connect, by the whole address: any number of closed connections may wait meanwhile. */
    setsockopt(s->wire.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(s->wire.fd, (struct sockaddr *)&options.from, sizeof options.from) < 0) die("bind");
  }
  s->state = CONNECTING;
  alive++;
  if (connect(s->wire.fd, (struct sockaddr *)&options.to, sizeof options.to) < 0 && errno != EINPROGRESS) {
    fail(s, "connect", errno);
    return;
  }
  watch(epoll, s->wire.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, (uint64_t)(s - slots));
}

/* True once connected; the first report of a new socket is about that. */
static int connected(struct slot *s) {
  int code = 0;
  socklen_t length = sizeof code;
  getsockopt(s->wire.fd, SOL_SOCKET, SO_ERROR, &code, &length);
  if (code != 0) fail(s, "connect", code);
  return code == 0;
}

static int in_window;

/* True once: connected, and over TLS with a handshake behind it. */
static int ready(struct slot *s) {
  if (s->state == CONNECTING && connected(s)) {
    s->state = SHAKING;
    s->sent_at = now_ns();
  }
  if (s->state != SHAKING) return 0;
  int can = wire_ready(&s->wire);
  if (can < 0) fail(s, "handshake", errno);
  else if (can == 1 && in_window && options.resume && !wire_resumed(&s->wire)) fail(s, "a full handshake", 0);
  return can == 1 && s->state == SHAKING;
}

/* Each message is another, so that an answer that belongs to somebody else does not pass. */
static void send_message(struct slot *s) {
  memset(s->message, 'e', sizeof s->message);
  s->message[0] = 'E';
  memcpy(s->message + 8, &s->number, sizeof s->number);
  /* The first of a connection counts from when it was connected. */
  if (s->state != SHAKING) s->sent_at = now_ns();
  memcpy(s->message + 16, &s->sent_at, sizeof s->sent_at);
  s->got = 0;
  s->state = EXCHANGING;
  ssize_t sent = wire_send(&s->wire, s->message, sizeof s->message);
  if (sent != (ssize_t)sizeof s->message) fail(s, "send", sent < 0 ? errno : EAGAIN);
}

/* 1: the whole answer is here, and right. 0: not yet. -1: failed. */
static int take_answer(struct slot *s) {
  char answer[MESSAGE_BYTES];
  for (;;) {
    ssize_t got = wire_recv(&s->wire, answer, MESSAGE_BYTES - s->got, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) {
      fail(s, got == 0 ? "ended before its answer" : "recv", got == 0 ? 0 : errno);
      return -1;
    }
    if (memcmp(answer, s->message + s->got, (size_t)got) != 0) {
      fail(s, "a wrong answer", 0);
      return -1;
    }
    s->got += (size_t)got;
    if (s->got == MESSAGE_BYTES) return 1;
  }
}

static void end_slot(struct slot *s) {
  if (wire_end(&s->wire) < 0) fail(s, "shutdown", errno);
  else s->state = CLOSING;
}

/* 1: the other side has ended as well, and sent nothing more. 0: not yet. -1: failed. */
static int take_end(struct slot *s) {
  char byte;
  ssize_t got = wire_recv(&s->wire, &byte, 1, 0);
  if (got == 0) return 1;
  if (got < 0 && errno == EAGAIN) return 0;
  fail(s, got > 0 ? "more bytes than there should be" : "end", got > 0 ? 0 : errno);
  return -1;
}

/* Waits up to `deadline`, and hands each report to the mode. */
static int turn(int64_t deadline, void (*handle)(struct slot *)) {
  struct epoll_event events[256];
  int64_t left = deadline - now_ns();
  int ready = epoll_wait(epoll, events, 256, left <= 0 ? 0 : (int)(left / 1000000 + 1));
  if (ready < 0 && errno != EINTR) die("epoll_wait");
  for (int i = 0; i < ready; i++) {
    struct slot *s = &slots[events[i].data.u64];
    if (s->state != NONE) handle(s);
  }
  return ready;
}

/* connections and pingpong: everybody is busy all the time, and a window in the middle is counted. */

static int repeats, restarts, stopping;
static uint64_t done, done_in_window, in_window_capacity;
static uint32_t *latencies;

static void note_done(struct slot *s) {
  done++;
  if (!in_window) return;
  if (done_in_window == in_window_capacity) {
    in_window_capacity = in_window_capacity == 0 ? 1 << 16 : in_window_capacity * 2;
    latencies = realloc(latencies, in_window_capacity * sizeof *latencies);
    if (latencies == NULL) die("realloc");
  }
  int64_t took = now_ns() - s->sent_at;
  latencies[done_in_window++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

static void converse(struct slot *s) {
  if (ready(s)) send_message(s);
  if (s->state == EXCHANGING && take_answer(s) == 1) {
    if (repeats) note_done(s);
    if (repeats && !stopping) send_message(s);
    else end_slot(s);
  }
  if (s->state == CLOSING && take_end(s) == 1) {
    if (!repeats) note_done(s);
    vacate(s);
  }
  if (s->state == NONE && restarts && !stopping) open_slot(s);
}

static int ascending(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

static double latency_us(double part) {
  if (done_in_window == 0) return 0;
  return latencies[(size_t)(part * (double)(done_in_window - 1))] / 1e3;
}

static void run_window(void) {
  slots = calloc((size_t)options.concurrency, sizeof *slots);
  for (long i = 0; i < options.concurrency; i++) open_slot(&slots[i]);
  int64_t began = now_ns(), warm = began + options.warmup_ms * 1000000;
  while (done < options.warmup && now_ns() < warm) turn(warm, converse);
  /* The first connections have no session to resume, and must be over before the window. */
  uint64_t resumable = options.resume ? 4 * (uint64_t)options.concurrency : 0;
  for (warm = now_ns() + 2 * STUCK_NS; done < resumable && now_ns() < warm;) turn(warm, converse);
  struct edge begin = edge_now();
  in_window = 1;
  int64_t deadline = begin.time + options.ms * 1000000;
  while (now_ns() < deadline) turn(deadline, converse);
  in_window = 0;
  struct edge end = edge_now();
  stopping = 1;
  int64_t drained = end.time + DRAIN_NS;
  while (alive > 0 && now_ns() < drained) turn(drained, converse);
  for (long i = 0; i < options.concurrency; i++)
    if (slots[i].state != NONE) fail(&slots[i], "never ended", 0);
  qsort(latencies, done_in_window, sizeof *latencies, ascending);
  printf("{\"mode\":\"%s\",\"warmup_ns\":%lld,\"count\":%llu,\"total\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,",
         options.mode, (long long)(begin.time - began), (unsigned long long)done_in_window, (unsigned long long)done,
         latency_us(0.5), latency_us(0.99), latency_us(1));
  print_window(begin, end);
  print_errors();
}

/* stream */

static uint64_t moved;

static void interest(struct slot *s, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)(s - slots)};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, s->wire.fd, &event) < 0) die("epoll_ctl");
}

static void begin_stream(struct slot *s) {
  uint64_t bytes = options.bytes / (uint64_t)options.streams;
  char header[HEADER_BYTES] = {options.direction};
  memcpy(header + 8, &bytes, sizeof bytes);
  if (wire_send(&s->wire, header, sizeof header) != sizeof header) return fail(s, "send", errno);
  s->to_send = options.direction == 'S' ? 0 : bytes;
  s->to_take = options.direction == 'K' ? 0 : bytes;
  s->state = STREAMING;
  interest(s, (s->to_take > 0 ? EPOLLIN : 0) | (s->to_send > 0 ? EPOLLOUT : 0));
}

static void move(struct slot *s) {
  if (s->to_take > 0) {
    ssize_t got = wire_discard(&s->wire, s->to_take);
    if (got == 0) return fail(s, "ended before its last byte", 0);
    if (got < 0 && errno != EAGAIN) return fail(s, "recv", errno);
    if (got > 0) {
      s->to_take -= (uint64_t)got;
      moved += (uint64_t)got;
      if (s->to_take == 0) interest(s, EPOLLOUT);
    }
  }
  if (s->to_send > 0) {
    size_t most = s->to_send < CHUNK_BYTES ? (size_t)s->to_send : CHUNK_BYTES;
    ssize_t sent = wire_send(&s->wire, bulk, most);
    if (sent < 0 && errno != EAGAIN) return fail(s, "send", errno);
    if (sent > 0) {
      s->to_send -= (uint64_t)sent;
      moved += (uint64_t)sent;
      if (s->to_send == 0 && s->to_take > 0) interest(s, EPOLLIN);
    }
  }
  if (s->to_send > 0 || s->to_take > 0) return;
  s->got = 0;
  s->state = COUNTING;
  interest(s, EPOLLIN);
}

/* The backend says how much it took: what we sent has arrived. */
static void take_count(struct slot *s) {
  if (options.direction == 'S') return end_slot(s);
  ssize_t got = wire_recv(&s->wire, s->message + s->got, COUNT_BYTES - s->got, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return fail(s, "ended before its count", got == 0 ? 0 : errno);
  s->got += (size_t)got;
  if (s->got < COUNT_BYTES) return;
  uint64_t count;
  memcpy(&count, s->message, sizeof count);
  if (count != options.bytes / (uint64_t)options.streams) return fail(s, "a wrong count", 0);
  end_slot(s);
}

static void pour(struct slot *s) {
  if (ready(s)) begin_stream(s);
  else if (s->state == STREAMING) move(s);
  if (s->state == COUNTING) take_count(s);
  if (s->state == CLOSING && take_end(s) == 1) vacate(s);
}

static void run_stream(void) {
  slots = calloc((size_t)options.streams, sizeof *slots);
  struct edge begin = edge_now();
  for (long i = 0; i < options.streams; i++) open_slot(&slots[i]);
  uint64_t before = 0;
  int64_t progress = now_ns();
  while (alive > 0) {
    turn(now_ns() + 1000000000, pour);
    if (moved != before) {
      before = moved;
      progress = now_ns();
    } else if (now_ns() - progress > STUCK_NS) {
      for (long i = 0; i < options.streams; i++)
        if (slots[i].state != NONE) fail(&slots[i], "stuck", 0);
    }
  }
  struct edge end = edge_now();
  printf("{\"mode\":\"stream\",\"bytes\":%llu,", (unsigned long long)moved);
  print_window(begin, end);
  print_errors();
}

/* idle */

static long resting;

static void settle(struct slot *s) {
  if (ready(s)) send_message(s);
  if (s->state == EXCHANGING && take_answer(s) == 1) {
    s->state = RESTING;
    resting++;
  }
  if (s->state == CLOSING && take_end(s) == 1) vacate(s);
}

static void run_idle(void) {
  slots = calloc((size_t)options.pairs, sizeof *slots);
  long opened = 0;
  int64_t deadline = now_ns() + STUCK_NS + options.pairs * 5000000;
  struct edge begin = edge_now();
  while (resting + (long)errors < options.pairs && now_ns() < deadline) {
    /* Few at a time: the queues of those that accept are not what is measured. */
    while (opened < options.pairs && opened - resting - (long)errors < options.concurrency) open_slot(&slots[opened++]);
    turn(deadline, settle);
  }
  struct edge end = edge_now();
  printf("{\"mode\":\"idle\",\"pairs\":%ld,", resting);
  print_window(begin, end);
  print_errors();
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {}
  /* Each must have lived until now. */
  for (long i = 0; i < opened; i++)
    if (slots[i].state == RESTING && take_end(&slots[i]) == 1) fail(&slots[i], "ended while it was idle", 0);
  for (long i = 0; i < opened; i++)
    if (slots[i].state == RESTING) end_slot(&slots[i]);
  deadline = now_ns() + STUCK_NS;
  while (alive > 0 && now_ns() < deadline) turn(deadline, settle);
  for (long i = 0; i < opened; i++)
    if (slots[i].state != NONE) fail(&slots[i], "never ended", 0);
  printf("{\"mode\":\"idle\",\"pairs\":%ld,", resting);
  print_errors();
}

int main(int argc, char **argv) {
  die_with_parent();
  signal(SIGPIPE, SIG_IGN);
  parse(argc, argv);
#ifdef TLS
  tls_resumes = options.resume != 0;
  tls_begin(NULL, NULL);
#endif
  memset(bulk, 'x', sizeof bulk);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  if (!strcmp(options.mode, "connections")) {
    restarts = 1;
    run_window();
  } else if (!strcmp(options.mode, "pingpong")) {
    repeats = 1;
    run_window();
  } else if (!strcmp(options.mode, "stream")) {
    run_stream();
  } else if (!strcmp(options.mode, "idle")) {
    run_idle();
  } else {
    die(options.mode);
  }
  return 0;
}
