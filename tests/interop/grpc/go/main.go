// grpc-go as a peer of tests/interop/test_grpc.py: the service and the scenarios of README.md, with
// messages that are bytes.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	messageMax = 8 << 20
	failWords  = "grün 100%"
	floodPiece = 64 << 10
	floodTotal = 256 << 20
)

// Bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (rawCodec) Name() string                       { return "raw" }

func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*31 + i/251)
	}
	return data
}

func echoed(ctx context.Context) metadata.MD {
	md, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for _, name := range []string{"x-echo", "x-echo-bin"} {
		if values := md.Get(name); len(values) > 0 {
			out.Set(name, values...)
		}
	}
	return out
}

type server struct{ grpc *grpc.Server }

func (s *server) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	ctx := stream.Context()
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("x-fail")) > 0 {
		return status.Error(codes.FailedPrecondition, failWords)
	}
	var message []byte
	switch method {
	case "/echo.Echo/Unary":
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		stream.SetHeader(echoed(ctx))
		stream.SetTrailer(echoed(ctx))
		return stream.SendMsg(&message)
	case "/echo.Echo/Chat":
		stream.SendHeader(nil)
		for {
			err := stream.RecvMsg(&message)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
	case "/echo.Echo/Count":
		var count, size int
		stream.RecvMsg(&message)
		fmt.Sscanf(string(message), "%d %d", &count, &size)
		for range count {
			piece := pattern(size)
			if err := stream.SendMsg(&piece); err != nil {
				return err
			}
		}
		return nil
	case "/echo.Echo/Sum":
		count, size := 0, 0
		for stream.RecvMsg(&message) == nil {
			count++
			size += len(message)
		}
		answer := fmt.Appendf(nil, "%d %d", count, size)
		return stream.SendMsg(&answer)
	case "/echo.Echo/Hang":
		<-ctx.Done()
		fmt.Printf("ended %s status=%d sent=0\n", method, status.FromContextError(ctx.Err()).Code())
		return ctx.Err()
	case "/echo.Echo/Flood":
		stream.RecvMsg(&message)
		sent, piece := 0, pattern(floodPiece)
		for sent < floodTotal && stream.SendMsg(&piece) == nil {
			sent += floodPiece
		}
		fmt.Printf("ended %s status=1 sent=%d\n", method, sent)
		return nil
	case "/echo.Echo/GoAway":
		stream.RecvMsg(&message)
		go s.grpc.GracefulStop()
		return stream.SendMsg(&message)
	}
	return status.Error(codes.Unimplemented, "no such method")
}

func serve(minPing time.Duration) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	s := &server{}
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(s.handle),
		grpc.MaxRecvMsgSize(messageMax),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: minPing, PermitWithoutStream: true}))
	check(s.grpc.Serve(listener))
	fmt.Println("stopped")
}

// A client with one connection; counts those that it makes.
type client struct {
	*grpc.ClientConn
	dialled *atomic.Int32
}

func connect(port string, interval time.Duration) *client {
	dialled := &atomic.Int32{}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(messageMax)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			dialled.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}),
	}
	if interval > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: interval, Timeout: 2 * time.Second, PermitWithoutStream: true}))
	}
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:"+port, options...)
	check(err)
	return &client{conn, dialled}
}

func (c *client) stream(ctx context.Context, method string) grpc.ClientStream {
	stream, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/echo.Echo/"+method)
	check(err)
	return stream
}

func (c *client) unary(size int) {
	ctx := metadata.AppendToOutgoingContext(context.Background(),
		"x-echo", "a b~", "x-echo-bin", "\x00\xff,")
	var headers, trailers metadata.MD
	message, answer := pattern(size), []byte(nil)
	check(c.Invoke(ctx, "/echo.Echo/Unary", &message, &answer, grpc.Header(&headers),
		grpc.Trailer(&trailers)))
	want(bytes.Equal(answer, message), "the echo")
	for _, md := range []metadata.MD{headers, trailers} {
		want(fmt.Sprint(md.Get("x-echo"), md.Get("x-echo-bin")) == "[a b~] [\x00\xff,]", "metadata")
	}
}

func wantStatus(err error, code codes.Code, words string) {
	got := status.Convert(err)
	want(got.Code() == code && (words == "" || got.Message() == words), fmt.Sprint("status: ", got))
}

func exchange(stream grpc.ClientStream, size int) {
	message, answer := pattern(size), []byte(nil)
	check(stream.SendMsg(&message))
	check(stream.RecvMsg(&answer))
	want(bytes.Equal(answer, message), "the echo")
}

func finish(stream grpc.ClientStream) {
	var message []byte
	check(stream.CloseSend())
	want(stream.RecvMsg(&message) == io.EOF, "the end")
}

func (c *client) count(ctx context.Context, number, size int) {
	stream := c.stream(ctx, "Count")
	message := fmt.Appendf(nil, "%d %d", number, size)
	check(stream.SendMsg(&message))
	check(stream.CloseSend())
	for range number {
		check(stream.RecvMsg(&message))
		want(bytes.Equal(message, pattern(size)), "a message")
	}
	want(stream.RecvMsg(&message) == io.EOF, "the end")
}

func (c *client) run(scenario string, number func(int) int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var message []byte
	switch scenario {
	case "unary":
		c.unary(number(0))
	case "refused":
		ctx = metadata.AppendToOutgoingContext(ctx, "x-fail", "1")
		err := c.Invoke(ctx, "/echo.Echo/Unary", &message, &message)
		wantStatus(err, codes.FailedPrecondition, failWords)
	case "unknown":
		wantStatus(c.Invoke(ctx, "/echo.Echo/Nothing", &message, &message), codes.Unimplemented, "")
	case "count":
		c.count(ctx, number(0), number(1))
	case "sum":
		stream := c.stream(ctx, "Sum")
		piece := pattern(number(1))
		for range number(0) {
			check(stream.SendMsg(&piece))
		}
		check(stream.CloseSend())
		check(stream.RecvMsg(&message))
		want(string(message) == fmt.Sprint(number(0), " ", number(0)*number(1)), "the sum")
	case "chat":
		stream := c.stream(ctx, "Chat")
		_, err := stream.Header() // before any message
		check(err)
		for range number(0) {
			exchange(stream, number(1))
		}
		finish(stream)
	case "cancel":
		stream := c.stream(ctx, "Hang")
		time.AfterFunc(300*time.Millisecond, cancel)
		wantStatus(stream.RecvMsg(&message), codes.Canceled, "")
		c.unary(10)
	case "deadline":
		limit := time.Duration(number(0)) * time.Millisecond
		short, stop := context.WithTimeout(ctx, limit)
		defer stop()
		wantStatus(c.Invoke(short, "/echo.Echo/Hang", &message, &message), codes.DeadlineExceeded, "")
		c.unary(10)
	case "slow":
		stream := c.stream(ctx, "Flood")
		check(stream.SendMsg(&message))
		check(stream.RecvMsg(&message))
		time.Sleep(time.Duration(number(0)) * time.Second)
		cancel()
		c.unary(10)
	case "parallel":
		var all sync.WaitGroup
		for i := range number(0) {
			all.Add(1)
			go func() {
				defer all.Done()
				c.unary(1000 + i)
			}()
		}
		all.Wait()
	case "go-away":
		stream := c.stream(ctx, "Chat")
		exchange(stream, 10)
		check(c.Invoke(ctx, "/echo.Echo/GoAway", &message, &message))
		time.Sleep(300 * time.Millisecond)
		exchange(stream, 100_000)
		c.unary(10)
		finish(stream)
		want(c.dialled.Load() == 2, "a second connection")
	case "idle":
		stream := c.stream(ctx, "Chat")
		exchange(stream, 10)
		time.Sleep(time.Duration(number(0)) * time.Second)
		exchange(stream, 10)
		finish(stream)
		want(c.dialled.Load() == 1, "one connection")
	default:
		want(false, "no such scenario")
	}
	fmt.Println("ok connections =", c.dialled.Load())
}

func check(err error) {
	if err != nil {
		fmt.Println("wrong", err)
		os.Exit(1)
	}
}

func want(holds bool, what string) {
	if !holds {
		fmt.Println("wrong", what)
		os.Exit(1)
	}
}

// grpc-go-peer serve MIN_PING_MS | call PORT SCENARIO KEEPALIVE_MS [NUMBERS]
func main() {
	arguments := os.Args[1:]
	milliseconds := func(text string) time.Duration {
		value, err := strconv.Atoi(text)
		check(err)
		return time.Duration(value) * time.Millisecond
	}
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		serve(milliseconds(arguments[1]))
	case len(arguments) >= 4 && arguments[0] == "call":
		numbers := arguments[4:]
		connect(arguments[1], milliseconds(arguments[3])).run(arguments[2], func(i int) int {
			value, err := strconv.Atoi(numbers[i])
			check(err)
			return value
		})
	default:
		fmt.Fprintln(os.Stderr, "usage: serve MIN_PING_MS | call PORT SCENARIO KEEPALIVE_MS [NUMBERS]")
		os.Exit(2)
	}
}
