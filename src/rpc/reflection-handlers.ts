import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ServerReflectionRequest, ServerReflectionResponse } from './generated/grpc/reflection/v1/reflection.ts';
import type { Reflection } from './reflection.ts';

/** Reads the descriptor set when somebody asks for the first time: it is a tenth of a start, and few ever ask. */
export function reflectionHandlers(descriptorSet: Uint8Array): UntypedServiceImplementation {
  let made: Promise<Reflection> | null = null;
  const make = async (): Promise<Reflection> => {
    const { Reflection } = await import('./reflection.ts');
    return new Reflection(descriptorSet);
  };
  return {
    async ServerReflectionInfo(call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) {
      // A client that goes away mid-stream is no event worth a word.
      call.on('error', () => call.end());
      made ??= make();
      const reflection = await made;
      // What came meanwhile waits in the stream, its end included.
      call.on('end', () => call.end());
      call.on('data', (request: ServerReflectionRequest) => {
        if (!call.write(reflection.answer(request))) {
          call.pause();
          call.once('drain', () => call.resume());
        }
      });
    },
  };
}
